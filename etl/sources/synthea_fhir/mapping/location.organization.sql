-- Addresses of organisations → location. Grain: one row per Organization. They are public places, so kept whole.
SELECT
    concat('organization|', id) AS _key,
    line AS address_1, city, state, postal_code AS zip
FROM bronze.organization
