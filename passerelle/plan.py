"""The plan that a run would execute, for ``--dry-run``. Reads the declaration only; opens nothing, writes nothing."""

from dataclasses import dataclass
from typing import Any

from etl.compiler import CompiledSource, compile_source
from etl.declaration import source_folder
from passerelle.settings import Settings


@dataclass(frozen=True)
class Plan:
    """What would be read, mapped and written."""

    settings: Settings
    compiled: CompiledSource
    location: str | None

    def as_json(self) -> dict[str, Any]:
        source = self.compiled.source
        return {
            "source": source.name,
            "input": "database" if self.location and "://" in self.location else self.location,
            "workspace": str(self.settings.workspace),
            "engine": self.settings.engine,
            "timezone": source.timezone,
            "tables": {
                name: {"role": table.role, "key": list(table.key), "identity": dict(table.identity_columns)}
                for name, table in source.tables.items()
            },
            "unused": source.unused,
            "mappings": [
                {
                    "name": mapping.name,
                    "writes": mapping.table.name,
                    "reads": sorted(mapping.reads),
                    "accounts_for": sorted(mapping.drives),
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
            f"input      {plan['input'] or 'not given'}",
            f"workspace  {plan['workspace']}   engine {plan['engine']}",
            f"extract    {len(plan['tables'])} tables: {', '.join(plan['tables'])}",
            "map",
        ]
        lines += [
            f"  {m['name']:<32} {', '.join(m['reads'])}"
            + ("" if m["accounts_for"] else "   (aggregates: accounts for no row)")
            for m in plan["mappings"]
        ]
        return "\n".join(
            [*lines, "then       observation periods, quality checks, views, snapshot. Nothing was written."]
        )


def plan_of(settings: Settings, source: str, location: str | None) -> Plan:
    """Compile a source and say what a run would do."""
    return Plan(settings, compile_source(source_folder(source)), location)
