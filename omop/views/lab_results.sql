-- Laboratory results, and clinical measurements such as weight. Grain: one row per row of measurement.
WITH
-- 1. Sources.
measurement AS (
    SELECT measurement_id, person_id, visit_occurrence_id, measurement_concept_id, measurement_source_value,
        measurement_date, measurement_datetime, operator_concept_id, value_as_number, value_as_concept_id,
        unit_concept_id, unit_source_value, value_source_value, range_low, range_high
    FROM omop.measurement
),
concept AS (SELECT concept_id, concept_name, concept_code FROM omop.concept),
-- 2. Steps.
named AS (
    SELECT concept_id, min(concept_name) AS concept_name, min(concept_code) AS concept_code
    FROM concept WHERE concept_id <> 0 GROUP BY concept_id
)
-- 3. Result.
SELECT
    measurement.measurement_id,
    measurement.person_id,
    measurement.visit_occurrence_id,
    measurement.measurement_concept_id,
    analysis.concept_name,
    measurement.measurement_source_value AS source_code,
    coalesce(measurement.measurement_datetime, CAST(measurement.measurement_date AS timestamp)) AS measured_at,
    CASE measurement.operator_concept_id WHEN 4171756 THEN '<' WHEN 4171754 THEN '<=' WHEN 4172703 THEN '='
        WHEN 4171755 THEN '>=' WHEN 4172704 THEN '>' END AS operator,
    measurement.value_as_number AS value,
    measurement.unit_concept_id,
    coalesce(unit.concept_code, measurement.unit_source_value) AS unit,
    coalesce(measurement.value_source_value, answer.concept_name) AS value_text,
    measurement.range_low,
    measurement.range_high,
    -- The CDM has no time of validation: 65 minutes after sampling are declared for every site until one measures its own.
    coalesce(measurement.measurement_datetime, CAST(measurement.measurement_date AS timestamp) + INTERVAL 1 DAY)
        + INTERVAL 65 MINUTES AS available_at
FROM measurement
LEFT JOIN named AS analysis ON analysis.concept_id = measurement.measurement_concept_id
LEFT JOIN named AS unit ON unit.concept_id = measurement.unit_concept_id
LEFT JOIN named AS answer ON answer.concept_id = measurement.value_as_concept_id
