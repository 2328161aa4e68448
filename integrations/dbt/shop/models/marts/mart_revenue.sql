select
    customers.country,
    orders.ordered_on,
    count(*) as orders,
    sum(orders.amount) as revenue
from {{ ref('stg_orders') }} as orders
inner join {{ ref('stg_customers') }} as customers on orders.customer_id = customers.customer_id
where orders.status = 'paid'
group by customers.country, orders.ordered_on
