"""The days that one diagnosis, one drug or one dose covers: the rows that eras are made of.

Each query reads views named ``era__<table>`` and gives, for every row of the event table: ``person_id, concept_id,
first_day, last_day`` (both included) and ``left_out``, the reason why the row makes no era (null: it does).
"""

# What OMOP calls the persistence window: two spans are one era when the second begins at most so many days after the
# last day of the first; 31 days later it is another era.
PERSISTENCE_DAYS = 30
OPEN_CONDITION_DAYS = 1  # a diagnosis without an end lasts until the next day, as in OHDSI's own scripts
LONGEST_SUPPLY_DAYS = 365  # the CDM's own limit: a longer supply is a slip of the pen and would make an unreal era
LAST_DAY = "DATE '9999-12-31'"

# Written unit (lower case) → (UCUM unit of the era, factor). Amounts of a substance only: 5 mL or 2 tablets say nothing
# about the dose of an ingredient. Masses become milligrams, so that 1 g and 1000 mg are one dose.
DOSE_UNITS = {
    "g": ("mg", 1000.0),
    "mg": ("mg", 1.0),
    "ug": ("mg", 0.001),
    "µg": ("mg", 0.001),  # the micro sign
    "μg": ("mg", 0.001),  # the Greek letter
    "mcg": ("mg", 0.001),
    "ng": ("mg", 0.000001),
    "mmol": ("mmol", 1.0),
    "[iu]": ("[iU]", 1.0),
    "iu": ("[iU]", 1.0),
    "ui": ("[iU]", 1.0),
}

CONDITION = f"""
SELECT person_id, condition_concept_id AS concept_id, condition_start_date AS first_day,
    greatest(
        coalesce(condition_end_date, least(date_add(condition_start_date, {OPEN_CONDITION_DAYS}), {LAST_DAY})),
        condition_start_date
    ) AS last_day,
    CASE WHEN condition_concept_id = 0 THEN 'no standard concept' END AS left_out
FROM era__condition_occurrence
"""

# A drug may hold several ingredients; one of class Ingredient is its own. Subsets of the vocabulary repeat pairs of
# concept_ancestor with other levels: GROUP BY keeps one.
INGREDIENT = """
WITH used AS (SELECT drug_concept_id FROM era__drug_exposure WHERE drug_concept_id <> 0 GROUP BY drug_concept_id),
ingredient AS (
    SELECT concept_id FROM era__concept
    WHERE concept_class_id = 'Ingredient' AND standard_concept = 'S' AND domain_id = 'Drug' GROUP BY concept_id
),
pair AS (
    SELECT used.drug_concept_id, ingredient.concept_id
    FROM used JOIN ingredient ON ingredient.concept_id = used.drug_concept_id
    UNION
    SELECT used.drug_concept_id, ingredient.concept_id
    FROM used
    JOIN era__concept_ancestor AS above ON above.descendant_concept_id = used.drug_concept_id
    JOIN ingredient ON ingredient.concept_id = above.ancestor_concept_id
)
SELECT drug_concept_id, concept_id, count(*) OVER (PARTITION BY drug_concept_id) AS ingredients FROM pair
"""

# Every row of drug_exposure, of whatever type: an order, what was dispensed, what was given. An order that was never
# given is an exposure too, as everywhere in OHDSI; who wants what was given alone reads the view of administrations.
DRUG = f"""
SELECT exposure.person_id, known.concept_id, exposure.drug_exposure_start_date AS first_day,
    greatest(
        -- The CDM requires an end: on the first day without a time of its own it stands in for an end not known.
        CASE WHEN exposure.drug_exposure_end_date > exposure.drug_exposure_start_date
                OR exposure.drug_exposure_end_datetime IS NOT NULL THEN exposure.drug_exposure_end_date
             WHEN exposure.days_supply BETWEEN 1 AND {LONGEST_SUPPLY_DAYS}
                THEN least(date_add(exposure.drug_exposure_start_date, exposure.days_supply - 1), {LAST_DAY})
        END,
        exposure.drug_exposure_start_date
    ) AS last_day,
    CASE WHEN exposure.drug_concept_id = 0 THEN 'no standard concept'
         WHEN known.concept_id IS NULL THEN 'no ingredient in this copy of the vocabulary' END AS left_out,
    exposure.drug_concept_id, known.ingredients, exposure.quantity, exposure.days_supply,
    exposure.dose_unit_source_value, exposure.sig
FROM era__drug_exposure AS exposure
LEFT JOIN era__ingredient AS known ON known.drug_concept_id = exposure.drug_concept_id
"""

# The dose of a day, where it is written: an order's dose times its intakes a day (sig '3/24h …'), or, of a supply, its
# tablets times their strength over its days. Administrations have none: the first day of a treatment is not a dose.
DOSE = f"""
WITH drug AS (
    SELECT person_id, concept_id, first_day, last_day, left_out, drug_concept_id, ingredients, quantity, days_supply,
        dose_unit_source_value,
        CAST(nullif(regexp_extract(sig, '^([0-9]{{1,6}}([.][0-9]{{1,6}})?)/24h', 1), '') AS double) AS per_day
    FROM era__drug
),
strength AS (
    SELECT drug_concept_id, ingredient_concept_id, max(amount_value) AS amount, max(amount_unit_concept_id) AS unit_id
    FROM era__drug_strength
    WHERE amount_value > 0 AND invalid_reason IS NULL
    GROUP BY drug_concept_id, ingredient_concept_id
),
unit AS (
    SELECT min(concept_id) AS concept_id, concept_code FROM era__concept
    WHERE vocabulary_id = 'UCUM' AND standard_concept = 'S' GROUP BY concept_code
),
named AS (
    SELECT strength.drug_concept_id, strength.ingredient_concept_id, strength.amount, unit.concept_code
    FROM strength JOIN unit ON unit.concept_id = strength.unit_id
),
daily AS (
    SELECT drug.person_id, drug.concept_id, drug.first_day, drug.last_day, drug.left_out, drug.ingredients,
        named.amount IS NOT NULL AND drug.dose_unit_source_value IS NULL AS by_strength,
        CASE WHEN drug.dose_unit_source_value IS NOT NULL THEN drug.quantity * drug.per_day
             WHEN drug.days_supply BETWEEN 1 AND {LONGEST_SUPPLY_DAYS}
             THEN drug.quantity * named.amount / drug.days_supply END AS amount,
        coalesce(drug.dose_unit_source_value, named.concept_code) AS written
    FROM drug
    LEFT JOIN named
        ON named.drug_concept_id = drug.drug_concept_id AND named.ingredient_concept_id = drug.concept_id
)
SELECT daily.person_id, daily.concept_id, unit.concept_id AS unit_concept_id, daily.first_day, daily.last_day,
    -- A millionth of the unit: three times 0.1 is 0.3, whatever binary fractions say.
    floor(daily.amount * era__dose_unit.factor * 1000000D + 0.5D) / 1000000D AS dose_value,
    CASE WHEN daily.left_out IS NOT NULL THEN daily.left_out
         WHEN daily.amount IS NULL OR NOT daily.amount > 0 THEN 'no dose a day is written'
         WHEN unit.concept_id IS NULL THEN 'the unit is no amount of a substance'
         WHEN daily.ingredients > 1 AND NOT daily.by_strength THEN 'one dose for several ingredients'
    END AS left_out
FROM daily
LEFT JOIN era__dose_unit ON era__dose_unit.written = lower(trim(daily.written))
LEFT JOIN unit ON unit.concept_code = era__dose_unit.ucum
"""
