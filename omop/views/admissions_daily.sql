-- Admissions a day, by place and cause, as they became known: the sum over the rows known by t is the count as of t.
-- Grain: one row per place, day of admission, cause, and day on which the cause of these stays became known.
WITH
-- 1. Sources.
stay AS (SELECT visit_occurrence_id, kind, start_date, care_site_id, available_at FROM views.stays),
diagnosis AS (
    SELECT visit_occurrence_id, condition_concept_id, source_code, is_primary, available_at FROM views.diagnoses
),
care_site AS (SELECT care_site_id, location_id FROM omop.care_site),
location AS (SELECT location_id, county, state, zip FROM omop.location),
ancestor AS (SELECT ancestor_concept_id, descendant_concept_id FROM omop.concept_ancestor),
cause AS (SELECT cause, code_like, concept_id FROM knowledge.admission_causes),
-- 2. Steps.
place AS (
    -- As coarse as the CDM allows: a county (in France a département), else a state, else a postal code.
    SELECT location_id, min(coalesce(nullif(county, ''), nullif(state, ''), nullif(zip, ''))) AS place
    FROM location GROUP BY location_id
),
site AS (SELECT care_site_id, min(location_id) AS location_id FROM care_site GROUP BY care_site_id),
admission AS (
    SELECT stay.visit_occurrence_id, stay.kind, stay.start_date, stay.available_at,
        coalesce(place.place, 'unknown') AS place
    FROM stay
    LEFT JOIN site ON site.care_site_id = stay.care_site_id
    LEFT JOIN place ON place.location_id = site.location_id
    WHERE stay.kind IN ('inpatient', 'emergency')
),
coded AS (
    SELECT condition_concept_id, source_code FROM diagnosis GROUP BY condition_concept_id, source_code
),
under AS (
    SELECT cause.cause, cause.concept_id FROM cause WHERE cause.concept_id IS NOT NULL
    UNION
    SELECT cause.cause, ancestor.descendant_concept_id AS concept_id
    FROM cause
    JOIN ancestor ON ancestor.ancestor_concept_id = cause.concept_id
),
caused AS (
    SELECT coded.condition_concept_id, coded.source_code, cause.cause
    FROM coded
    JOIN cause ON upper(replace(coded.source_code, '.', '')) LIKE cause.code_like
    UNION
    SELECT coded.condition_concept_id, coded.source_code, under.cause
    FROM coded
    JOIN under ON under.concept_id = coded.condition_concept_id
),
told AS (
    -- Once a stay and cause, when the first of its codes became known.
    SELECT diagnosis.visit_occurrence_id, caused.cause, min(diagnosis.available_at) AS available_at,
        min(CASE WHEN diagnosis.is_primary = 1 THEN diagnosis.available_at END) AS primary_at
    FROM diagnosis
    JOIN caused ON caused.condition_concept_id = diagnosis.condition_concept_id
        AND coalesce(caused.source_code, '') = coalesce(diagnosis.source_code, '')
    GROUP BY diagnosis.visit_occurrence_id, caused.cause
),
fact AS (
    SELECT place, start_date, 'all' AS cause, kind, available_at AS known_at, 0 AS is_primary FROM admission
    UNION ALL
    SELECT admission.place, admission.start_date, told.cause, admission.kind,
        CASE WHEN told.available_at > admission.available_at THEN told.available_at
            ELSE admission.available_at END AS known_at,
        0 AS is_primary
    FROM admission
    JOIN told ON told.visit_occurrence_id = admission.visit_occurrence_id
    UNION ALL
    SELECT admission.place, admission.start_date, told.cause, admission.kind,
        CASE WHEN told.primary_at > admission.available_at THEN told.primary_at
            ELSE admission.available_at END AS known_at,
        1 AS is_primary
    FROM admission
    JOIN told ON told.visit_occurrence_id = admission.visit_occurrence_id
    WHERE told.primary_at IS NOT NULL
),
dated AS (
    SELECT place, start_date, cause, kind, is_primary, date_add(CAST(known_at AS date), 1) AS known_on FROM fact
)
-- 3. Result.
SELECT
    place,
    start_date AS day,
    cause,
    sum(CASE WHEN is_primary = 0 AND kind = 'inpatient' THEN 1 ELSE 0 END) AS admissions,
    sum(CASE WHEN is_primary = 1 AND kind = 'inpatient' THEN 1 ELSE 0 END) AS primary_admissions,
    sum(CASE WHEN is_primary = 0 AND kind = 'emergency' THEN 1 ELSE 0 END) AS emergency_visits,
    sum(CASE WHEN is_primary = 1 AND kind = 'emergency' THEN 1 ELSE 0 END) AS primary_emergency_visits,
    CAST(known_on AS timestamp) AS available_at
FROM dated
GROUP BY place, start_date, cause, known_on
