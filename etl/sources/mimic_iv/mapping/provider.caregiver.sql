-- Caregivers of the intensive-care module → provider. Grain: one row per pseudonym; the two modules share none.
SELECT caregiver_id AS _key
FROM bronze.caregiver
