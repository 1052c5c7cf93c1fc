-- Laboratory results. Grain: one row per row of measurement that is neither a vital sign nor height or weight.
WITH
-- 1. Sources.
measured AS (
    SELECT measurement_id, person_id, visit_occurrence_id, measurement_concept_id, concept_name, source_code, quantity,
        kind, measured_at, done_at, operator, value, unit, range_low, range_high, source_value, unit_concept_id,
        source_unit, value_text
    FROM steps.measured
)
-- 2. Result.
SELECT
    measurement_id,
    person_id,
    visit_occurrence_id,
    measurement_concept_id,
    concept_name,
    source_code,
    quantity,
    measured_at,
    operator,
    value,
    unit,
    value_text,
    range_low,
    range_high,
    source_value,
    source_unit,
    unit_concept_id,
    -- The CDM has no time of validation: 65 minutes after sampling are declared for every site until one measures its own.
    done_at + INTERVAL 65 MINUTES AS available_at
FROM measured
WHERE kind = 'lab'
