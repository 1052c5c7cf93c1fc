-- The tables of the French national "socle" (minimum data of a health data warehouse), as this source reads them: PostgreSQL.
-- Names are those of the published tables. Where the published types differ, the comment says so; the declaration reads both.
CREATE TABLE patient (
    patient_id bigint PRIMARY KEY,
    nom text,
    prenom text,
    nir text,                       -- 13 to 15 characters, 2A and 2B for Corsica
    ins text,
    date_naissance date,            -- may be empty: the age on admission stands in
    sexe text,                      -- f, h; also x in real extracts, which the published constraint refuses
    date_deces date,
    source_deces text,
    rang_gemellaire integer,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE patient_adresse (
    patient_adresse_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    latitude double precision,
    longitude double precision,
    code_iris text,                 -- INSEE: commune and quarter, 9 digits
    libelle_iris text,
    code_geographique_residence text,
    libelle_geographique_residence text,
    date_recueil date,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE donnees_pmsi (
    pmsi_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    mode_sortie text,
    age_admission integer,
    date_debut_sejour date,
    date_fin_sejour date,
    mode_entree text,
    etablissement text,
    service text,
    unite_fonctionnelle text,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE diagnostics (
    diagnostic_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    pmsi_id bigint NOT NULL REFERENCES donnees_pmsi,
    code_diagnostic text NOT NULL,
    type_diagnostic text,
    libelle_diagnostic text,
    date_recueil date,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE actes (
    acte_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    pmsi_id bigint NOT NULL REFERENCES donnees_pmsi,
    code_acte text NOT NULL,
    libelle_acte text,
    date_acte timestamptz,          -- published without zone: a file that writes Z then loses it silently
    executant text,
    date_recueil date,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE biologie (
    biologie_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    code_loinc text,
    libelle_test text,
    type_examen text,
    valeur numeric,
    unite text,
    valeur_texte text,
    date_prelevement timestamptz,
    statut_validation text,
    borne_inf_normale numeric,
    borne_sup_normale numeric,
    laboratoire text,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE dossier_soins (
    soin_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    code_loinc text,
    libelle_test text,
    valeur numeric,
    unite text,
    valeur_code text,
    valeur_texte text,
    date_mesure timestamptz,        -- published as a date, filled with times
    unite_soins text,
    professionnel text,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE prescription (
    prescription_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    prescripteur text,
    denomination text,
    code_atc text,
    voie_administration text,       -- EDQM standard terms
    date_prescription date,
    date_debut_prescription date,
    date_fin_prescription date,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE posologie (
    posologie_id bigint PRIMARY KEY,
    prescription_id bigint NOT NULL REFERENCES prescription,
    nombre_prises_par_jour integer,
    quantite numeric,
    unite_quantite text,
    date_heure_debut timestamptz,   -- published without zone, as those of administration
    date_heure_fin timestamptz,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE administration (
    administration_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    prescription_id bigint REFERENCES prescription,
    denomination text,
    code_atc text,
    voie_administration text,
    quantite numeric,
    unite_quantite text,
    date_heure_debut timestamptz,
    date_heure_fin timestamptz,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TABLE style_vie (
    style_vie_id bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient,
    consommation_tabac text,
    consommation_alcool text,
    consommation_autres_drogues text,
    activite_physique text,
    date_recueil date,
    created_at timestamptz,
    updated_at timestamptz
);
