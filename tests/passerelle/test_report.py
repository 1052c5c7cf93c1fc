"""The report: what it says is what the run wrote down; it names nobody, fetches nothing, and reads on a phone."""

import html
import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from passerelle import runs
from passerelle.cli import run as cli
from passerelle.report import charts, write_report
from passerelle.report.collect_delivery import without_traces
from passerelle.report.timeline import timeline_of
from passerelle.report.wording import THIN, number, share
from passerelle.workspace import Workspace
from spark_jobs import ops
from tests.passerelle.report_hospital import ACCOUNTS, HOSTILE, SECRETS, add_accounts, add_source, workspace_of

TEMPLATES = Path(charts.__file__).parent / "templates"
READ_TOGETHER = [
    "ink paper",
    "quiet paper",
    "quiet faint",
    "link paper",
    "bad paper",
    "bad bad-paper",
    "look look-paper",
    "ink look-paper",
    "ink bad-paper",
    "ink ok-paper",
    "quiet look-paper",
    "quiet ok-paper",
    "link look-paper",
]
VOID = {"meta", "input", "br", "wbr", "img"}


@dataclass
class Page(HTMLParser):
    """What a test asks of a page: its rows of cells, its tags with attributes, its text."""

    source: str
    rows: list[list[str]] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self):
        super().__init__()
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open_tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self.open_tags and self.open_tags[-1] not in ("style", "script", "title"):
            self.text += data
            if {"td", "th"} & set(self.open_tags):
                self.rows[-1][-1] += data

    def row(self, first):
        return next([cell.strip() for cell in row] for row in self.rows if row and row[0].strip() == first)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return workspace_of(tmp_path_factory.mktemp("hospital") / "W")


@pytest.fixture(scope="module")
def page(workspace) -> Page:
    return Page(write_report(workspace).read_text())


# --- What it says --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["sejour", "resultat"])
def test_sums_shown_are_those_of_the_ledger(page, table):
    read, outcomes = ACCOUNTS[table]
    rows = {outcome: rows for outcome, _, rows in outcomes}
    expected = [rows.get(name, 0) for name in ("mapped", "routed", "merged", "excluded", "quarantined")]
    assert page.row(table)[1:9] == [number(n) for n in [read, *expected, read, 0]]


def test_the_head_says_in_words_what_came_in_and_what_became_of_it(page):
    read = 2 * (4 + 12_345)
    assert f"{number(read)} rows of 4 tables came in from 2 sources (Alpha hospital and Beta hospital)" in page.text
    assert f"{number(2 * 12_248)} of them (99.2%) went into the OMOP tables" in page.text
    assert "no row is unaccounted for" in page.text
    assert "Nothing is broken; know these points before you sign." in page.text


def test_a_dictionary_is_no_event_of_a_patient(page):
    assert not any(row and row[0].strip() == "dictionnaire" for row in page.rows)
    assert "dictionnaire 50" in page.text


def test_each_source_has_its_own_block(page):
    headings = re.findall(r"<section id=\"(\w+)\" class=\"source\">", page.source)
    assert headings == ["alpha", "beta"]


def test_only_what_declares_itself_synthetic_is_called_so(page):
    alpha, beta = page.source.split('<section id="beta"')
    assert "Synthetic data.</strong> A fictitious hospital" in alpha
    assert "Synthetic data." not in beta.split('<section id="models"')[0]


def test_rules_reasons_gaps_and_checks_are_listed_with_counts(page):
    assert page.row("resultat") and any(row[1:4] == ["excluded", "cancelled by laboratory", "90"] for row in page.rows)
    assert any(row[:4] == ["resultat", "measurement", "no such stay", "10"] for row in page.rows)
    assert any(row[:4] == ["A01", "–", "ANALYSES", "499"] for row in page.rows)
    assert page.row("isStandardValidConcept")[1:4] == ["convention", "1", "25.00%"]


def test_tables_are_counted_for_their_own_source(page):
    assert page.row("measurement")[1:3] == ["9", "3"]  # not 18: the other source has its own buckets
    assert page.row("measurement.measurement_concept_id")[1:5] == ["9", "6", "3", "66.7%"]


def test_an_empty_month_is_seen(page):
    assert "measurement, 2024-03: 0" in page.source and "measurement, 2024-04: 3" in page.source


def test_a_model_stands_beside_its_trivial_baseline(page):
    assert page.row("model")[1:3] == ["0.91", "0.85 to 0.96"]
    assert page.row("rule alerts")[1:3] == ["0.62", "0.55 to 0.70"]
    assert page.row("season")[1] == "0.50"
    assert "These figures are of another state of the data" in page.text


def test_a_model_shows_which_classes_it_confuses_and_what_its_alerts_say(page):
    assert page.row("4")[1:3] == ["31", "2"] and page.row("6")[1:3] == ["3", "17"]
    assert page.row("surdosage")[2:] == ["a ; b", "97.0%"] and page.row("accepted")[1] == "autre ligne"


def test_a_model_is_shown_month_by_month(page):
    assert page.row("2025-03") == ["2025-03", "410", "12", "24.0", "0.62 (0.55 to 0.70)", "5.0", "–"]


def test_a_model_that_does_not_beat_its_baseline_is_said_so(workspace, tmp_path):
    copy = Workspace(Path(shutil.copytree(workspace.root, tmp_path / "W")))
    path = copy.report.parent / "models" / "prescription_review.json"
    results = json.loads(path.read_text())
    results["evaluation"]["gain_over"]["rule alerts"]["auroc"] |= {"low": -0.1}
    path.write_text(json.dumps(results))
    text = Page(write_report(copy).read_text()).text
    assert "prescription_review is not shown to be better than “rule alerts”" in text and "no difference shown" in text


def test_the_demo_may_tell_more_than_its_steps(tmp_path):
    workspace = Workspace(tmp_path / "W")
    workspace.report.parent.mkdir(parents=True)
    steps = {"patients": 300, "steps": [{"step": "train", "seconds": 61, "note": "3 000 orders"}]}
    (workspace.report.parent / "demo.json").write_text(json.dumps(steps))
    assert Page(write_report(workspace).read_text()).row("train")[1] == f"1{THIN}min 01{THIN}s"


def test_what_a_clinician_reads_is_shown_in_french_without_days(page):
    assert '<blockquote lang="fr">' in page.source
    assert "clairance de la créatinine est de 26 mL/min" in page.text
    assert "créatinine 165 µmol/L du [date]" in page.text
    assert page.row("PENDING")[1] == "2"


def test_a_ledger_that_does_not_balance_is_the_first_thing_said(tmp_path):
    workspace = Workspace(tmp_path / "W")
    run = add_source(workspace, "alpha", "Alpha", "")
    add_accounts(workspace, run, {"lost": (10, [("mapped", None, 8)])})
    page = Page(write_report(workspace).read_text())
    assert page.row("lost")[7:9] == ["8", "2"]
    assert (
        "do not rely on these data" in page.text and "lost does not balance: 10 rows read, 8 accounted for" in page.text
    )
    assert "but 2 rows cannot be accounted for" in page.text


def test_a_run_that_did_not_finish_is_said_with_the_command_that_goes_on(tmp_path):
    workspace = Workspace(tmp_path / "W")
    add_source(workspace, "alpha", "Alpha", "")
    runs.begin(workspace.lake, "alpha").record("extracted", 1.0, tables={})
    page = Page(write_report(workspace).read_text())
    assert "did not finish (last step: extracted)" in page.text
    assert f"passerelle run alpha --resume --workspace {workspace.root}" in page.text
    assert page.row("resultat")[1] == number(12_345)  # the accounts of the run before stand


# --- What it never says --------------------------------------------------------------------------------------------


def test_nobody_is_named(page):
    for secret in SECRETS:
        assert secret not in page.source


def test_nobody_of_a_real_run_is_named(tmp_path, capsys):
    from tests.hospital import write_feed, write_source

    source, feed = write_source(tmp_path / "tiny"), write_feed(tmp_path / "feed")
    assert cli(["run", str(source), "--input", str(feed), "--workspace", str(tmp_path / "W")]) == 0
    assert cli(["report", "--workspace", str(tmp_path / "W"), "--json"]) == 0
    page = Page(Path(json.loads(capsys.readouterr().out.splitlines()[-1])["report"]).read_text())
    assert page.row("diagnostic")[1:9] == ["4", "3", "0", "0", "0", "1", "4", "0"]
    for secret in ("ZURBRIGGEN", "Zurbriggen", "ABERNATHY", "06 12", "06.12", "1943"):
        assert secret not in page.text
    assert not re.search(r"\b(8001|8002|77001|77002|99999)\b", page.text)


def test_a_password_of_a_setting_is_hidden(page):
    assert "hunter2" not in page.source and "postgresql://clerk:***@db.chu.example/outbox" in page.text


def test_hostile_text_is_shown_and_never_run(page):
    assert HOSTILE not in page.source and page.text.count(HOSTILE) == 5  # two gaps, a note, an alert, a demo's step
    assert "<b>0</b>" not in page.source and "Ward <b>0</b>" in page.text
    assert [tag for tag, _ in page.tags].count("script") == 1


def test_a_plot_is_an_image_in_which_nothing_runs(page):
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 1 and pictures[0].startswith("data:image/svg+xml;base64,")


def test_nothing_is_fetched(page):
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            assert re.match(r"#|data:image/svg", attributes.get(name) or "#"), (tag, attributes)
    style = page.source.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    (policy,) = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ") and "http" not in policy


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("créatinine 245 µmol/L du 03/03/2025", "créatinine 245 µmol/L du [date]"),
        ("connues le 05/03/2025 à 08:00, valable", "connues le [date], valable"),
        ("dossier 8001234567", "dossier [numéro]"),
        ("part des prescriptions (0,0229933)", "part des prescriptions (0,0229933)"),
        ("âge (ans) (56,86) : augmente", "âge (ans) (56) : augmente"),
    ],
)
def test_an_example_keeps_no_trace_of_a_person(text, shown):
    assert without_traces(text) == shown


# --- What is absent ------------------------------------------------------------------------------------------------


def test_a_folder_without_anything_gives_a_page_that_says_what_to_do(tmp_path):
    page = Page(write_report(Workspace(tmp_path / "nothing")).read_text())
    assert "no source was mapped" in page.text
    for command in ("run SOURCE", "train MODEL", "predict MODEL", "passerelle demo"):
        assert command in page.text


@pytest.mark.parametrize("part", sorted(ops.SCHEMAS))
def test_every_bookkeeping_table_may_be_absent(workspace, tmp_path, part):
    copy = Workspace(Path(shutil.copytree(workspace.root, tmp_path / "W")))
    shutil.rmtree(copy.lake.ops(part), ignore_errors=True)
    Page(write_report(copy).read_text())


@pytest.mark.parametrize("part", ["lake/omop", "lake", "outbox", "report", "workspace.json", "lake/omop/care_site"])
def test_every_folder_may_be_absent(workspace, tmp_path, part):
    copy = Workspace(Path(shutil.copytree(workspace.root, tmp_path / "W")))
    path = copy.root / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    Page(write_report(copy).read_text())


@pytest.mark.parametrize("text", ["{", "[]", '{"evaluation": {"scores": {"m": 3}}}', '{"metrics": [1]}', "{}"])
def test_results_that_cannot_be_read_are_said_to_be(tmp_path, text):
    workspace = Workspace(tmp_path / "W")
    for name in ("models/broken.json", "demo.json", "delivery.json"):
        path = workspace.report.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    page = Page(write_report(workspace).read_text())
    assert text == "{}" or "broken.json" in page.text


def test_a_source_that_was_only_read_has_no_accounts_yet(tmp_path):
    workspace = Workspace(tmp_path / "W")
    workspace.admit("gamma", buckets=2, secrets="x")
    runs.begin(workspace.lake, "gamma", engine="embedded").record("extracted", 1.0, tables={})
    page = Page(write_report(workspace).read_text())
    assert "map gamma --workspace" in page.text and "did not finish" in page.text


def test_a_lake_without_a_vocabulary_says_so(tmp_path):
    workspace = Workspace(tmp_path / "W")
    run = add_source(workspace, "alpha", "Alpha", "")
    run.record("mapped", 1.0, vocabulary="none", tables={})
    assert "mapped without a vocabulary" in Page(write_report(workspace).read_text()).text


# --- How it is made ------------------------------------------------------------------------------------------------


def test_headings_are_in_order_and_tables_have_scopes(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")


def test_links_lead_somewhere_and_names_are_given_once(page):
    names = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(names) == len(set(names))
    assert {a["href"][1:] for tag, a in page.tags if tag == "a"} <= set(names)


def test_the_page_is_well_formed(page):
    assert page.open_tags == []


def test_a_share_is_never_rounded_to_nothing_or_to_all():
    shares = [share(part, 10_000) for part in (0, 1, 15, 9_850, 9_999, 10_000)]
    assert shares == ["0%", "<0.1%", "0.1%", "98.5%", ">99.9%", "100%"]
    assert share(182, 18_087, 2) == "1.01%" and share(1, 0) == "–"
    assert number(1_234_567) == f"1{THIN}234{THIN}567"


def test_a_bar_is_full_and_its_smallest_part_is_seen():
    widths = [float(w) for w in re.findall(r'x="[\d.]+" width="([\d.]+)"', charts.stacked_bar(
        [("mapped", 1_000_000, "mapped"), ("routed", 0, "routed"), ("quarantined", 1, "quarantined")]
    ))]  # fmt: skip
    assert widths == [99.4, 0.6]


@pytest.mark.parametrize(
    ("years", "unit"),
    [((2024, 2025), "month"), ((2018, 2025), "quarter"), ((1995, 2025), "year"), ((2100, 2200), "decade")],
)
def test_a_long_time_is_shown_in_longer_periods(years, unit):
    rows = dict.fromkeys(range(years[0] * 12, years[1] * 12), 100)
    timeline = timeline_of({"measurement": Counter(rows)})
    assert timeline.unit == unit and len(timeline.periods) <= 36
    assert sum(timeline.counts["measurement"]) + timeline.outside == sum(rows.values())


def test_a_wrong_century_does_not_flatten_the_picture():
    rows = dict.fromkeys(range(2024 * 12, 2025 * 12), 1_000) | {1900 * 12: 1, 2999 * 12: 2}
    timeline = timeline_of({"measurement": Counter(rows)})
    assert timeline.unit == "month" and timeline.periods[0] == "2024-01" and timeline.outside == 3


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("pair", READ_TOGETHER)
def test_text_is_readable(mode, pair):
    ink, paper = pair.split()
    blocks = re.findall(r":root \{(.*?)\}", (TEMPLATES / "style.css").read_text(), flags=re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[mode]))
    light, dark = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.1, level AA


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# --- In a browser --------------------------------------------------------------------------------------------------

MEASURE = """<!doctype html><body><iframe id="f" style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>
<script>onload = () => {{
  const page = document.getElementById("f").contentDocument.documentElement;
  document.body.dataset.width = page.scrollWidth + "/" + page.clientWidth;
}};</script>"""


def dump(chromium: str, folder: Path, path: Path) -> str:
    """The page as the browser has built it."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    options += [
        "--disable-background-networking",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=2000",
    ]
    return subprocess.run(
        [chromium, *options, "--dump-dom", path.as_uri()], capture_output=True, text=True, check=True, timeout=120
    ).stdout


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(chromium, page, tmp_path, width):
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.source)  # or nothing could measure it
    (tmp_path / "measure.html").write_text(MEASURE.format(width=width, page=html.escape(free, quote=True)))
    measured = re.search(r'data-width="(\d+)/(\d+)"', dump(chromium, tmp_path, tmp_path / "measure.html"))
    assert measured and int(measured[2]) in range(width - 20, width + 1) and int(measured[1]) <= int(measured[2])


def test_its_own_script_is_allowed_and_no_other(chromium, page, tmp_path):
    (tmp_path / "page.html").write_text(
        page.source.replace("</body>", "<script>document.title = 'run'</script></body>")
    )
    built = dump(chromium, tmp_path, tmp_path / "page.html")
    assert '<label class="filter">' in built and "<title>run</title>" not in built


def test_it_is_written_over_the_old_one_in_one_step(workspace):
    path = write_report(workspace)
    assert path == workspace.root / "report" / "index.html"
    assert not list(path.parent.glob("*.tmp")) and json.loads((path.parent / "demo.json").read_text())
