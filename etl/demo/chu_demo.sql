-- The record of the fictitious university hospital: what a vendor's database looks like. No constraint: real ones have none
-- that a warehouse can rely on. Times are local to Europe/Paris and carry no zone.
DROP SCHEMA IF EXISTS dpi CASCADE;
DROP SCHEMA IF EXISTS truth CASCADE;
CREATE SCHEMA dpi;
CREATE SCHEMA truth;
CREATE TABLE dpi.commune (code_postal text, commune text, departement text);
CREATE TABLE dpi.unite_fonctionnelle (uf text, libelle text, type_uf text, specialite text, code_postal text, maj_le timestamp);
CREATE TABLE dpi.praticien (praticien_id text, nom text, prenom text, specialite text, uf text, maj_le timestamp);
CREATE TABLE dpi.patient (
    ipp text, nom text, prenom text, nom_naissance text, sexe text, date_naissance date, adresse text, code_postal text,
    commune text, telephone text, ins text, nir text, date_deces date, maj_le timestamp);
CREATE TABLE dpi.sejour (
    numero_sejour text, ipp text, type_sejour text, entree timestamp, sortie timestamp, mode_entree text, mode_sortie text,
    uf_entree text, praticien_id text, maj_le timestamp);
CREATE TABLE dpi.mouvement (
    mouvement_id bigint, numero_sejour text, ipp text, uf text, entree timestamp, sortie timestamp, maj_le timestamp);
CREATE TABLE dpi.diagnostic (
    diagnostic_id bigint, numero_sejour text, ipp text, code_cim10 text, type_diagnostic text, maj_le timestamp);
CREATE TABLE dpi.acte (
    acte_id bigint, numero_sejour text, ipp text, code_ccam text, realise_le timestamp, executant_id text, maj_le timestamp);
CREATE TABLE dpi.prescription (
    ligne_id bigint, ipp text, numero_sejour text, code_atc text, libelle text, dose text, unite text, frequence_jour numeric,
    voie text, debut timestamp, fin timestamp, prescripteur text, statut text, maj_le timestamp);
CREATE TABLE dpi.administration (
    administration_id bigint, ligne_id bigint, ipp text, numero_sejour text, code_atc text, libelle text, prevue_le timestamp,
    faite_le timestamp, statut text, dose text, unite text, voie text, maj_le timestamp);
CREATE TABLE dpi.avis_pharmaceutique (
    avis_id bigint, ligne_id bigint, ipp text, numero_sejour text, date_avis timestamp, pharmacien_id text, avis text,
    code_probleme integer, acceptee boolean, maj_le timestamp);
CREATE TABLE dpi.resultat_biologie (
    result_id bigint, revision integer, ipp text, numero_sejour text, code_analyse text, valeur text, unite text,
    preleve_le timestamp, valide_le timestamp, borne_basse numeric, borne_haute numeric, maj_le timestamp);
CREATE TABLE dpi.mesure_clinique (
    mesure_id bigint, ipp text, numero_sejour text, code_mesure text, valeur text, unite text, mesure_le timestamp,
    supprime_le timestamp, maj_le timestamp);
CREATE TABLE dpi.antecedent (
    antecedent_id bigint, ipp text, type_antecedent text, code text, libelle text, valeur text, saisi_le timestamp,
    maj_le timestamp);
CREATE TABLE dpi.probleme (
    probleme_id bigint, ipp text, code_cim10 text, libelle text, saisi_le timestamp, clos_le timestamp, maj_le timestamp);
CREATE TABLE dpi.document (
    document_id bigint, ipp text, numero_sejour text, type_document text, titre text, date_document timestamp, auteur_id text,
    texte text, maj_le timestamp);
CREATE TABLE dpi.document_numerise (
    numerisation_id bigint, ipp text, numero_sejour text, type_document text, chemin_image text, uid_etude text, uid_serie text,
    modalite text, numerise_le timestamp, maj_le timestamp);
-- What was made wrong on purpose, for those who measure models. Nothing of the pipeline reads this schema.
CREATE TABLE truth.injected_error (ligne_id bigint, mechanism text, parameters json, seed bigint);
-- What two pharmacists would say of each line that is not ordinary: for the agreement of readers.
CREATE TABLE truth.reading (ligne_id bigint, chance double precision, first boolean, second boolean);
