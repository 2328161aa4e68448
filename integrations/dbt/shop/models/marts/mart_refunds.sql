{{ config(enabled=var('broken')) }}

select order_id, refunded_amount -- no such column: the recording needs a failure
from {{ ref('stg_orders') }}
where status = 'returned'
