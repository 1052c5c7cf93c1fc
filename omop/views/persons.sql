-- Persons. Grain: one row per row of person.
WITH
-- 1. Sources.
person AS (SELECT person_id, gender_concept_id, year_of_birth, month_of_birth, day_of_birth FROM omop.person),
-- 2. Steps.
counted AS (
    -- Not birth_datetime: an instant in UTC may lie on the day before the local birthday.
    SELECT person_id, gender_concept_id, year_of_birth, month_of_birth,
        CASE WHEN year_of_birth BETWEEN 1800 AND 2200 AND month_of_birth BETWEEN 1 AND 12 AND day_of_birth BETWEEN 1 AND 31
            THEN date_add(make_date(year_of_birth, month_of_birth, 1), day_of_birth - 1) END AS counted_date
    FROM person
)
-- 3. Result.
SELECT
    person_id,
    year_of_birth,
    -- A day that its month does not have (31 April) is no day at all.
    CASE WHEN month(counted_date) = month_of_birth THEN counted_date END AS birth_date,
    gender_concept_id,
    CASE gender_concept_id WHEN 8507 THEN 'M' WHEN 8532 THEN 'F' ELSE 'U' END AS sex
FROM counted
