-- Entries and moves → visit_detail. Grain: one row per event E or M (evt_id), until the next event of the stay.
WITH
-- 1. Sources
evenement AS (SELECT evt_id, nda, type_evt, date_evt, um FROM bronze.evenements),
sejour AS (SELECT nda, ipp, supprime FROM bronze.sejours),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
structure AS (SELECT um, activite FROM bronze.structure),
-- 2. Steps
suite AS (
    SELECT evt_id, nda, type_evt, date_evt, um,
        lead(date_evt) OVER (PARTITION BY nda ORDER BY date_evt, evt_id) AS date_suivante
    FROM evenement
)
-- 3. Result
SELECT
    suite.evt_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, sejour.ipp) AS person_key,
    suite.nda AS visit_key,
    structure.activite AS visit_detail_code, 'CHU2_ACTIVITE' AS visit_detail_vocabulary,
    suite.date_evt AS visit_detail_start_datetime,
    suite.date_suivante AS visit_detail_end_datetime,
    suite.um AS care_site_key,
    suite.um AS visit_detail_source_value,
    CASE WHEN sejour.supprime IS NOT NULL THEN 'deleted_stay' END AS _exclude,
    CASE WHEN suite.type_evt = 'S' THEN 'end_of_the_event_before' END AS _merge
FROM suite
LEFT JOIN sejour ON sejour.nda = suite.nda
LEFT JOIN fusion ON fusion.ipp_absorbe = sejour.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
LEFT JOIN structure ON structure.um = suite.um
