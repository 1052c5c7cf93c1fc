-- Condition eras as they were known: codes come late, so an era changes after it began.
-- Grain: one row per era of a person and concept, for each day on which something of that concept became known.
-- From the diagnoses, not from condition_era: that table says what is known today, and nothing of what was known before.
WITH
-- 1. Sources.
diagnosis AS (
    SELECT person_id, condition_concept_id, concept_name, started_on, ended_on, available_at, end_available_at
    FROM views.diagnoses
),
-- 2. Steps.
dated AS (
    -- What becomes known during a day (UTC) counts from the next midnight.
    SELECT person_id, condition_concept_id, concept_name, started_on AS first_day,
        CASE WHEN ended_on < started_on THEN started_on ELSE ended_on END AS end_day,
        date_add(CAST(available_at AS date), 1) AS known_on,
        date_add(CAST(end_available_at AS date), 1) AS end_known_on
    FROM diagnosis
    WHERE condition_concept_id <> 0
),
span AS (
    SELECT person_id, condition_concept_id, first_day, end_day, known_on, end_known_on,
        min(concept_name) AS concept_name, count(*) AS n
    FROM dated
    GROUP BY person_id, condition_concept_id, first_day, end_day, known_on, end_known_on
),
day AS (
    SELECT person_id, condition_concept_id, known_on FROM span
    UNION
    SELECT person_id, condition_concept_id, end_known_on AS known_on FROM span WHERE end_known_on IS NOT NULL
),
version AS (
    SELECT person_id, condition_concept_id, known_on,
        lead(known_on) OVER (PARTITION BY person_id, condition_concept_id ORDER BY known_on) AS next_known_on
    FROM day
),
seen AS (
    SELECT version.person_id, version.condition_concept_id, version.known_on, version.next_known_on, span.first_day,
        -- Without an end a diagnosis lasts until the next day, as in OHDSI's own scripts.
        CASE WHEN span.end_known_on <= version.known_on THEN span.end_day ELSE date_add(span.first_day, 1) END
            AS last_day,
        span.concept_name, span.n, span.known_on AS span_known_on, span.end_known_on AS span_end_known_on
    FROM version
    JOIN span ON span.person_id = version.person_id
        AND span.condition_concept_id = version.condition_concept_id AND span.known_on <= version.known_on
),
covering AS (
    SELECT person_id, condition_concept_id, known_on, next_known_on, first_day, last_day, concept_name, n,
        span_known_on, span_end_known_on,
        max(last_day) OVER (
            PARTITION BY person_id, condition_concept_id, known_on
            ORDER BY first_day, last_day, span_known_on, span_end_known_on
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered
    FROM seen
),
counted AS (
    -- 30 days later is still the same era.
    SELECT person_id, condition_concept_id, known_on, next_known_on, first_day, last_day, concept_name, n,
        sum(CASE WHEN covered IS NULL OR datediff(first_day, covered) > 30 THEN 1 ELSE 0 END) OVER (
            PARTITION BY person_id, condition_concept_id, known_on
            ORDER BY first_day, last_day, span_known_on, span_end_known_on
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS era
    FROM covering
)
-- 3. Result.
SELECT
    person_id,
    condition_concept_id,
    min(concept_name) AS concept_name,
    min(first_day) AS started_on,
    max(last_day) AS ended_on,
    sum(n) AS occurrences,
    CAST(known_on AS timestamp) AS available_at,
    CAST(min(next_known_on) AS timestamp) AS superseded_at
FROM counted
GROUP BY person_id, condition_concept_id, known_on, era
