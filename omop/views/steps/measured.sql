-- Measurements with what they measure, and their value in one unit a quantity. Read by lab_results, vital_signs and
-- observations: each row of measurement is in exactly one of them.
WITH
-- 1. Sources.
measurement AS (
    SELECT measurement_id, person_id, visit_occurrence_id, measurement_concept_id, measurement_source_value,
        measurement_date, measurement_datetime, operator_concept_id, value_as_number, value_as_concept_id,
        unit_concept_id, unit_source_value, value_source_value, range_low, range_high
    FROM omop.measurement
),
concept AS (SELECT concept_id, concept_name, concept_code, vocabulary_id FROM omop.concept),
named AS (SELECT concept_id, concept_name, concept_code FROM steps.named),
quantity AS (SELECT loinc, concept_id, quantity, kind, unit, conversion FROM knowledge.quantities),
factor AS (SELECT conversion, written, factor, shift FROM knowledge.unit_conversions),
-- 2. Steps.
recognised AS (
    -- By its OMOP number, and by its LOINC code where a copy of the vocabulary gives the term another number.
    SELECT concept_id, quantity, kind, unit, conversion FROM quantity WHERE concept_id IS NOT NULL
    UNION ALL
    SELECT concept.concept_id, quantity.quantity, quantity.kind, quantity.unit, quantity.conversion
    FROM concept
    JOIN quantity ON quantity.loinc = concept.concept_code
    WHERE concept.vocabulary_id = 'LOINC'
),
what AS (
    SELECT concept_id, min(quantity) AS quantity, min(kind) AS kind, min(unit) AS unit, min(conversion) AS conversion
    FROM recognised WHERE concept_id <> 0 GROUP BY concept_id
),
recorded AS (
    SELECT measurement.measurement_id, measurement.person_id, measurement.visit_occurrence_id,
        measurement.measurement_concept_id, analysis.concept_name, measurement.measurement_source_value,
        measurement.measurement_date, measurement.measurement_datetime, measurement.operator_concept_id,
        measurement.value_as_number, measurement.range_low, measurement.range_high, measurement.unit_concept_id,
        coalesce(measurement.value_source_value, answer.concept_name) AS value_text,
        what.quantity, what.kind, what.unit AS one_unit, what.conversion,
        coalesce(unit.concept_code, measurement.unit_source_value) AS recorded_unit,
        -- µ has two code points, and a space or a capital says nothing.
        lower(replace(replace(replace(coalesce(unit.concept_code, nullif(measurement.unit_source_value, ''), '(none)'),
            ' ', ''), 'µ', 'u'), 'μ', 'u')) AS written
    FROM measurement
    LEFT JOIN named AS analysis ON analysis.concept_id = measurement.measurement_concept_id
    LEFT JOIN named AS unit ON unit.concept_id = measurement.unit_concept_id
    LEFT JOIN named AS answer ON answer.concept_id = measurement.value_as_concept_id
    LEFT JOIN what ON what.concept_id = measurement.measurement_concept_id
)
-- 3. Result.
SELECT
    recorded.measurement_id,
    recorded.person_id,
    recorded.visit_occurrence_id,
    recorded.measurement_concept_id,
    recorded.concept_name,
    recorded.measurement_source_value AS source_code,
    recorded.quantity,
    coalesce(recorded.kind, 'lab') AS kind,
    coalesce(recorded.measurement_datetime, CAST(recorded.measurement_date AS timestamp)) AS measured_at,
    -- Without a time of day the fact is sure to be known only when the day is over.
    coalesce(recorded.measurement_datetime, CAST(recorded.measurement_date AS timestamp) + INTERVAL 1 DAY) AS done_at,
    CASE recorded.operator_concept_id WHEN 4171756 THEN '<' WHEN 4171754 THEN '<=' WHEN 4172703 THEN '='
        WHEN 4171755 THEN '>=' WHEN 4172704 THEN '>' END AS operator,
    -- A unit that the quantity is not known to have is never guessed: the value stays as it was written.
    CASE WHEN factor.factor IS NULL THEN recorded.value_as_number
        ELSE recorded.value_as_number * factor.factor + factor.shift END AS value,
    CASE WHEN factor.factor IS NULL THEN recorded.recorded_unit ELSE recorded.one_unit END AS unit,
    CASE WHEN factor.factor IS NULL THEN recorded.range_low
        ELSE recorded.range_low * factor.factor + factor.shift END AS range_low,
    CASE WHEN factor.factor IS NULL THEN recorded.range_high
        ELSE recorded.range_high * factor.factor + factor.shift END AS range_high,
    recorded.value_as_number AS source_value,
    recorded.unit_concept_id,
    recorded.recorded_unit AS source_unit,
    recorded.value_text
FROM recorded
LEFT JOIN factor ON factor.conversion = recorded.conversion AND factor.written = recorded.written
