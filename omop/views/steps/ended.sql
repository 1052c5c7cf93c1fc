-- When each stay ended: one row a stay even where visits are repeated, the end as in the view of stays.
WITH visit AS (
    SELECT visit_occurrence_id, visit_start_date, visit_start_datetime, visit_end_date, visit_end_datetime
    FROM omop.visit_occurrence
)
SELECT visit_occurrence_id,
    max(CASE WHEN visit_end_datetime IS NOT NULL THEN visit_end_datetime
        WHEN visit_end_date > visit_start_date OR visit_start_datetime IS NULL
        THEN CAST(visit_end_date AS timestamp) + INTERVAL 1 DAY END) AS ended_at
FROM visit
GROUP BY visit_occurrence_id
