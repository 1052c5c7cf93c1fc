-- The environment of a place, day by day: weather, air, epidemics. Hours become days, and weeks are spread over theirs.
-- Grain: one row per place, day, driver and unit, for each day on which values became known (a week's mean is known late).
WITH
-- 1. Sources.
exposure AS (
    SELECT location_id, exposure_concept_id, exposure_source_value, exposure_start_date, exposure_start_datetime,
        exposure_end_date, exposure_end_datetime, value_as_number, quantity, unit_concept_id, dose_unit_source_value
    FROM omop.external_exposure
),
location AS (SELECT location_id, county, state, zip FROM omop.location),
named AS (SELECT concept_id, concept_name, concept_code FROM steps.named),
later AS (SELECT days FROM knowledge.days_of_a_month),
-- 2. Steps.
place AS (
    -- The same places as of the admissions.
    SELECT location_id, min(coalesce(nullif(county, ''), nullif(state, ''), nullif(zip, ''))) AS place
    FROM location GROUP BY location_id
),
valued AS (
    SELECT exposure.location_id, exposure.exposure_concept_id,
        coalesce(named.concept_name, exposure.exposure_source_value, 'unknown') AS driver,
        coalesce(unit.concept_code, exposure.dose_unit_source_value, '') AS unit,
        coalesce(exposure.value_as_number, exposure.quantity) AS value,
        exposure.exposure_start_date AS first_day,
        CASE WHEN exposure.exposure_end_date > exposure.exposure_start_date THEN exposure.exposure_end_date
            ELSE exposure.exposure_start_date END AS last_day
    FROM exposure
    LEFT JOIN named ON named.concept_id = exposure.exposure_concept_id
    LEFT JOIN named AS unit ON unit.concept_id = exposure.unit_concept_id
),
spread AS (
    -- A period longer than a month says nothing about a day.
    SELECT valued.location_id, valued.exposure_concept_id, valued.driver, valued.unit, valued.value,
        date_add(valued.first_day, CAST(later.days AS int)) AS day, date_add(valued.last_day, 1) AS known_on
    FROM valued
    JOIN later ON later.days <= datediff(valued.last_day, valued.first_day)
    WHERE valued.value IS NOT NULL AND datediff(valued.last_day, valued.first_day) <= 30
),
here AS (
    -- One value a location first: where many persons live must not weigh more.
    SELECT location_id, exposure_concept_id, driver, unit, day, known_on, avg(value) AS mean, min(value) AS lowest,
        max(value) AS highest
    FROM spread
    GROUP BY location_id, exposure_concept_id, driver, unit, day, known_on
)
-- 3. Result.
SELECT
    coalesce(place.place, 'unknown') AS place,
    CAST(here.day AS date) AS day,
    here.driver,
    here.exposure_concept_id,
    here.unit,
    avg(here.mean) AS mean,
    min(here.lowest) AS lowest,
    max(here.highest) AS highest,
    count(*) AS locations,
    CAST(here.known_on AS timestamp) AS available_at
FROM here
LEFT JOIN place ON place.location_id = here.location_id
GROUP BY coalesce(place.place, 'unknown'), here.day, here.driver, here.exposure_concept_id, here.unit, here.known_on
