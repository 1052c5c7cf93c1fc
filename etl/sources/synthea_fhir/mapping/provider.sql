-- Professionals → provider. Grain: one row per Practitioner. Names and national numbers stay in the crosswalk.
SELECT
    id AS _key,
    CASE gender WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' END AS gender_code, 'Gender' AS gender_vocabulary
FROM bronze.practitioner
