-- Specimens of the laboratory → specimen. Grain: one row per Specimen. Their results are not in the export.
SELECT
    id AS _key, subject AS person_key, collected_on AS specimen_date, collected_at AS specimen_datetime,
    code AS specimen_code, 'MIMIC_LAB_FLUID' AS specimen_vocabulary, code AS specimen_label
FROM bronze.specimen_lab
