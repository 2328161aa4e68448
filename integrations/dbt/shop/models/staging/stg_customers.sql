select
    id as customer_id,
    name as customer_name,
    md5(email) as email_digest,
    country
from {{ ref('raw_customers') }}
