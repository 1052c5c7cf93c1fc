-- Professionals of the hospital module → provider. Grain: one row per pseudonym; nothing else is known of them.
SELECT provider_id AS _key
FROM bronze.provider
