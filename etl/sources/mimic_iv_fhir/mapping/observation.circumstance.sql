-- History, status and external causes among the diagnoses → observation, or where the concept's domain sends them.
-- Grain: one row per such Condition. A code that the vocabulary does not know stays here, so that 'history of' never
-- becomes a disease by default.
WITH
-- 1. Sources
diagnosis AS (
    SELECT id, subject, encounter, system, code, display, clinical_status, verification_status FROM bronze.condition
),
stay AS (SELECT id, part_of, started_at, started_on FROM bronze.encounter),
-- 2. Steps
coded AS (
    SELECT diagnosis.id, diagnosis.subject, diagnosis.code, diagnosis.display, diagnosis.verification_status,
        coalesce(stay.part_of, stay.id) AS visit,
        CASE WHEN stay.part_of IS NOT NULL THEN concat('encounter|', CAST(stay.id AS string)) END AS visit_detail,
        stay.started_at, stay.started_on,
        -- The same digits may be another code of the other version.
        CASE diagnosis.system
            WHEN 'http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-diagnosis-icd9' THEN 'ICD9CM'
            WHEN 'http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-diagnosis-icd10' THEN 'ICD10CM'
            ELSE diagnosis.system
        END AS vocabulary
    FROM diagnosis
    LEFT JOIN stay ON stay.id = diagnosis.encounter
)
-- 3. Result. The other codes are accounted for by condition_occurrence.sql.
SELECT
    id AS _key, subject AS person_key, visit AS visit_key, visit_detail AS visit_detail_key,
    started_at AS observation_datetime, started_on AS observation_date,
    code AS observation_code, vocabulary AS observation_vocabulary, display AS observation_label,
    CASE WHEN verification_status IN ('refuted', 'entered-in-error') THEN 'diagnosis_refuted' END AS _exclude
FROM coded
WHERE vocabulary = 'ICD9CM' AND substring(trim(code), 1, 1) IN ('E', 'V')
    OR vocabulary = 'ICD10CM' AND substring(trim(code), 1, 1) IN ('V', 'W', 'X', 'Y', 'Z')
