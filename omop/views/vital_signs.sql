-- Vital signs. Grain: one row per row of measurement of a sign in knowledge/quantities.csv.
WITH
-- 1. Sources.
measured AS (
    SELECT measurement_id, person_id, visit_occurrence_id, measurement_concept_id, source_code, quantity, kind,
        measured_at, done_at, operator, value, unit, source_value, source_unit
    FROM steps.measured
)
-- 2. Result.
SELECT
    measurement_id,
    person_id,
    visit_occurrence_id,
    measurement_concept_id,
    source_code,
    quantity AS sign,
    measured_at,
    operator,
    value,
    unit,
    source_value,
    source_unit,
    done_at AS available_at
FROM measured
WHERE kind = 'vital'
