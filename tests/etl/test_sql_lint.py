"""Each rule of the lint: one form that is refused, and the portable one beside it that passes."""

import pytest

from etl.sql_lint import RULES, refuse_unportable
from passerelle.errors import MappingError

# What the error names → (refused, accepted).
FORMS = {
    "SELECT *": ("SELECT * FROM t", "SELECT a, count(*) AS n FROM t GROUP BY a"),
    "RANGE BETWEEN INTERVAL": (
        "SELECT sum(a) OVER (ORDER BY d RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW) AS s FROM t",
        "SELECT sum(a) OVER (ORDER BY unix_date(d) RANGE BETWEEN 7 PRECEDING AND CURRENT ROW) AS s FROM t",
    ),
    "the current date or time": ("SELECT current_date() AS d FROM t", "SELECT date_add(d, 1) AS d FROM t"),
    "a random value": ("SELECT rand() AS r FROM t", "SELECT xxhash64(a) AS r FROM t"),
    "QUALIFY": (
        "SELECT a FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1",
        "WITH s AS (SELECT a, row_number() OVER (PARTITION BY a ORDER BY b) AS n FROM t) SELECT a FROM s WHERE n = 1",
    ),
    "GROUP BY ALL": ("SELECT a, sum(b) AS b FROM t GROUP BY ALL", "SELECT a, sum(b) AS b FROM t GROUP BY a"),
    "PIVOT or UNPIVOT": (
        "SELECT k FROM t PIVOT (sum(v) FOR c IN ('a' AS a, 'b' AS b))",
        "SELECT k, sum(CASE WHEN c = 'a' THEN v END) AS a FROM t GROUP BY k",
    ),
    "COLLATE": ("SELECT a COLLATE UTF8_LCASE AS a FROM t", "SELECT lower(a) AS a FROM t"),
    "a regular expression with look-around": (
        r"SELECT regexp_extract(a, '(?<=n)([0-9])', 1) AS n FROM t",
        r"SELECT regexp_extract(a, 'n([0-9])', 1) AS n FROM t",
    ),
    "IN (subquery) in the SELECT list": (
        "SELECT a IN (SELECT b FROM u) AS there FROM t",
        "SELECT a FROM t WHERE a IN (SELECT b FROM u)",
    ),
    "weekday()": ("SELECT weekday(d) AS d FROM t", "SELECT dayofweek(d) AS d FROM t"),
    "an identifier that changes at each run": (
        "SELECT monotonically_increasing_id() AS k FROM t",
        "SELECT concat(a, '|', b) AS k FROM t",
    ),
    "approx_percentile()": ("SELECT approx_percentile(a, 0.5) AS m FROM t", "SELECT percentile(a, 0.5) AS m FROM t"),
    "try_to_date()": (
        "SELECT try_to_date(a, 'dd/MM/yyyy') AS d FROM t",
        "SELECT CAST(try_to_timestamp(a, 'dd/MM/yyyy') AS date) AS d FROM t",
    ),
    "input_file_name()": ("SELECT input_file_name() AS f FROM t", "SELECT _line AS f FROM t"),
    "a doubled quote inside a literal": (
        "SELECT 'l''an' AS a FROM t",
        r"SELECT 'l\'an' AS a, '' AS b, concat('', '') AS c FROM t",
    ),
}  # fmt: skip
OTHER_WORDS = {
    "the current date or time": [
        "current_date", "current_timestamp()", "now()", "curdate()", "localtimestamp()", "unix_timestamp()",
    ],
    "a random value": ["randn()", "random()", "shuffle(array(1, 2))"],
    "an identifier that changes at each run": ["uuid()"],
    "approx_percentile()": ["percentile_approx(a, 0.5)"],
    "a regular expression with look-around": [
        "a RLIKE 'x(?=y)'", "a RLIKE 'x(?!y)'", "regexp_replace(a, '(?<!x)y', '')",
    ],
    "a doubled quote inside a literal": ["'''an'", "'l''', 'b'"],
    "SELECT *": ["t.*"],
}  # fmt: skip


def test_every_rule_is_tried():
    assert {found for _, found, _ in RULES} <= set(FORMS)


@pytest.mark.parametrize("found", FORMS)
def test_a_form_that_engines_read_differently_is_refused_with_the_portable_one(found):
    with pytest.raises(MappingError) as refused:
        refuse_unportable(FORMS[found][0], "measurement.sql")
    assert refused.value.what.startswith(f"measurement.sql holds {found},")
    assert refused.value.do.startswith("write instead: ")


@pytest.mark.parametrize("found", FORMS)
def test_the_portable_form_passes(found):
    refuse_unportable(FORMS[found][1], "measurement.sql")


@pytest.mark.parametrize(("found", "words"), [(f, words) for f, several in OTHER_WORDS.items() for words in several])
def test_other_words_for_the_same_are_refused_too(found, words):
    with pytest.raises(MappingError, match=r"measurement.sql holds") as refused:
        refuse_unportable(f"SELECT {words} AS x FROM t", "measurement.sql")
    assert found in refused.value.what


@pytest.mark.parametrize("text", ["", "SELECT FROM WHERE", "SELECT a FROM t; DROP TABLE t", "SELECT 'open FROM t"])
def test_what_is_not_one_query_is_refused_with_the_file(text):
    with pytest.raises(MappingError, match=r"measurement.sql"):
        refuse_unportable(text, "measurement.sql")
