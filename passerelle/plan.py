"""The plan that a run, or one of its steps, would execute, for ``--dry-run``. Opens no engine, writes nothing."""

from dataclasses import dataclass
from typing import Any

from etl.compiler import CompiledSource, compile_source
from etl.declaration import source_folder
from etl.scaffold.decisions import open_decisions
from passerelle import runs
from passerelle.settings import Settings
from passerelle.workspace import Workspace

STEPS = ("extract", "map", "check", "publish")


@dataclass(frozen=True)
class Plan:
    """What would be read, mapped and written, and what the workspace holds already."""

    settings: Settings
    compiled: CompiledSource
    location: str | None
    steps: tuple[str, ...] = STEPS

    def as_json(self) -> dict[str, Any]:
        source = self.compiled.source
        landed = self._landed()
        return {
            "source": source.name,
            "steps": list(self.steps),
            "input": "database" if self.location and "://" in self.location else self.location,
            "workspace": str(self.settings.workspace),
            "engine": self.settings.engine,
            "vocabulary": self._vocabulary(),
            "timezone": source.timezone,
            "undecided": len(open_decisions(self.compiled.folder)),
            "tables": {
                name: {
                    "role": table.role,
                    "key": list(table.key),
                    "identity": dict(table.identity_columns),
                    "rows_landed": landed.get(name),
                }
                for name, table in source.tables.items()
            },
            "unused": source.unused,
            "mappings": [
                {
                    "name": mapping.name,
                    "writes": mapping.table.name,
                    "reads": sorted(mapping.reads),
                    "accounts_for": sorted(mapping.drives),
                    "rows": sum(landed[name] for name in mapping.drives) if mapping.drives <= set(landed) else None,
                    "codes": [slot.prefix for slot in mapping.slots],
                    "type": mapping.policy.type,
                }
                for mapping in self.compiled.mappings
            ],
        }

    def as_text(self) -> str:
        plan = self.as_json()
        lines = [
            f"source     {plan['source']} (times: {plan['timezone']})",
            f"input      {plan['input'] or 'not given'}"
            if "extract" in self.steps
            else "input      what was extracted",
            f"workspace  {plan['workspace']}   engine {plan['engine']}   vocabulary {plan['vocabulary']}",
        ]
        if plan["undecided"]:
            lines.append(f"undecided  {plan['undecided']} decisions are open: the run would refuse to begin")
        if "extract" in self.steps:
            lines.append("extract")
            lines += [_extract_line(name, table) for name, table in plan["tables"].items()]
        if "map" in self.steps:
            lines.append("map")
            lines += [_map_line(mapping) for mapping in plan["mappings"]]
        rest = "then       observation periods, quality checks, views, snapshot. " if "publish" in self.steps else ""
        return "\n".join([*lines, f"{rest}Nothing was written."])

    def _landed(self) -> dict[str, int]:
        """Rows of each bronze table after the last extract; empty when there was none."""
        last = runs.last_with(Workspace(self.settings.workspace).lake, self.compiled.source.name, "extracted")
        tables = last.events["extracted"]["tables"] if last else {}
        return {name: facts["landed"] for name, facts in tables.items() if name in self.compiled.source.tables}

    def _vocabulary(self) -> str:
        loaded = runs.last_with(Workspace(self.settings.workspace).lake, "vocabulary", "loaded")
        return str(loaded.events["loaded"]["release"]) if loaded else "none yet: the small one that ships"


def _extract_line(name: str, table: dict[str, Any]) -> str:
    identity = ", ".join(f"{column} ({kind})" for column, kind in table["identity"].items())
    key = f"key {', '.join(table['key'])}"
    return f"  {name:<32} {key}" + (f"; hashed: {identity}" if identity else "")


def _map_line(mapping: dict[str, Any]) -> str:
    rows = f" ({mapping['rows']} rows)" if mapping["rows"] is not None else ""
    grain = "" if mapping["accounts_for"] else "   (aggregates: accounts for no row)"
    return f"  {mapping['name']:<32} {', '.join(mapping['reads'])}{rows}{grain}"


def plan_of(settings: Settings, source: str, location: str | None, steps: tuple[str, ...] = STEPS) -> Plan:
    """Compile a source and say what a run, or some of its steps, would do."""
    return Plan(settings, compile_source(source_folder(source)), location, steps)
