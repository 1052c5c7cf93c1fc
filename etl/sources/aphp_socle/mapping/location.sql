-- Places where patients live → location. Grain: one row per IRIS; where there is none, per commune.
-- Not here: coordinates, which stay in the crosswalk. To publish the commune only, take code_iris out of the steps, here and in
-- person.sql.
WITH
-- 1. Sources
adresse AS (
    SELECT patient_adresse_id, code_iris, code_geographique_residence, libelle_geographique_residence
    FROM bronze.patient_adresse
),
-- 2. Steps
lieu AS (
    SELECT patient_adresse_id, coalesce(code_iris, code_geographique_residence) AS lieu,
        code_geographique_residence, libelle_geographique_residence
    FROM adresse
),
premiere AS (
    SELECT patient_adresse_id, lieu, code_geographique_residence, libelle_geographique_residence,
        row_number() OVER (PARTITION BY lieu ORDER BY patient_adresse_id) AS rang
    FROM lieu
)
-- 3. Result. The PMSI code of the residence is not a postal code everywhere, but takes its place.
SELECT
    lieu AS _key,
    libelle_geographique_residence AS city, code_geographique_residence AS zip, lieu AS location_source_value,
    CASE WHEN lieu IS NULL THEN 'address_without_place' END AS _exclude,
    CASE WHEN lieu IS NOT NULL AND rang > 1 THEN 'same_place' END AS _merge
FROM premiere
