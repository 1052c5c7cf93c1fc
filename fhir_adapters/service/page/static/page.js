"use strict";
// Sends what a pharmacist decides to the same addresses as a record system would. Text is set as text, never as HTML.

const page = document.getElementById("page");

async function post(path, body) {
  const reply = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!reply.ok) {
    const outcome = await reply.json().catch(() => null);
    throw new Error(outcome?.issue?.[0]?.diagnostics ?? `erreur ${reply.status}`);
  }
  return reply.headers.get("content-type")?.includes("json") ? reply.json() : null;
}

// ---- what became of a card

function feedback(form, outcome) {
  const entry = { card: form.dataset.card, outcome, outcomeTimestamp: new Date().toISOString() };
  if (outcome === "accepted") {
    entry.acceptedSuggestions = [{ id: form.dataset.suggestion }];
  } else {
    const chosen = form.elements.reason.selectedOptions[0];
    entry.overrideReason = { reason: { code: chosen.value, system: page.dataset.reasons, display: chosen.textContent } };
    const comment = form.elements.comment.value.trim();
    if (comment) entry.overrideReason.userComment = comment;
  }
  return { feedback: [entry] };
}

async function decide(form, outcome) {
  const told = form.querySelector(".told");
  try {
    await post(`/cds-services/${form.dataset.service ?? page.dataset.view}/feedback`, feedback(form, outcome));
    told.textContent = outcome === "accepted" ? "Alerte acceptée, enregistrée." : "Alerte écartée, motif enregistré.";
    form.querySelectorAll("button, select, textarea").forEach((control) => { control.disabled = true; });
    form.closest(".card").classList.add("done");
  } catch (error) {
    told.textContent = `Non enregistré : ${error.message}`;
  }
}

function prepare(form) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.elements.accept.addEventListener("click", () => decide(form, "accepted"));
  form.elements.override.addEventListener("click", () => decide(form, "overridden"));
}

// ---- an order to try

function draftOrder(form) {
  const value = (name) => form.elements[name].value;
  const drug = form.elements.drug.selectedOptions[0];
  return {
    resourceType: "MedicationRequest", id: `essai-${crypto.randomUUID()}`, status: "draft", intent: "order",
    subject: { reference: `Patient/${page.dataset.person}` }, authoredOn: page.dataset.at,
    medicationCodeableConcept: {
      coding: [{ system: "http://www.whocc.no/atc", code: drug.value }], text: drug.textContent.replace(/ \(.*/, ""),
    },
    dosageInstruction: [{
      timing: { repeat: { frequency: Number(value("frequency")), period: 1, periodUnit: "d" } },
      route: { text: value("route") },
      doseAndRate: [{ doseQuantity: { value: Number(value("dose")), unit: value("unit") } }],
    }],
  };
}

function hookRequest(order) {
  const { person, system, user } = page.dataset;
  return {
    hook: "order-sign", hookInstance: crypto.randomUUID(),
    context: {
      userId: user, patientId: person,
      draftOrders: { resourceType: "Bundle", type: "collection", entry: [{ resource: order }] },
    },
    prefetch: { patient: { resourceType: "Patient", id: person, identifier: [{ system, value: person }] } },
  };
}

// A card's detail is Markdown whose text is escaped; here it is read as plain text.
function plain(markdown) {
  return markdown.replaceAll("**", "").replace(/\\([^A-Za-z0-9\s])/g, "$1").replace(/\n{2,}/g, "\n")
    .replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function shown(card) {
  const article = document.getElementById("card").content.cloneNode(true).querySelector("article");
  article.classList.add(card.indicator);
  article.querySelector("h3").textContent = card.summary;
  article.querySelector(".detail").textContent = plain(card.detail ?? "");
  article.querySelector(".origin").textContent = card.source.label;
  const form = article.querySelector("form");
  form.dataset.card = card.uuid;
  form.dataset.service = page.dataset.sign;
  form.dataset.suggestion = card.suggestions?.[0]?.uuid ?? "";
  form.elements.accept.hidden = !form.dataset.suggestion;
  prepare(form);
  return article;
}

async function sign(event) {
  event.preventDefault();
  const result = document.getElementById("result");
  try {
    const { cards } = await post(`/cds-services/${page.dataset.sign}`, hookRequest(draftOrder(event.target)));
    const told = document.createElement("p");
    told.textContent = cards.length ? `${cards.length} alerte${cards.length > 1 ? "s" : ""} :` : "Aucune alerte : la ligne peut être signée.";
    result.replaceChildren(told, ...cards.map(shown));
  } catch (error) {
    result.textContent = `Le service a refusé : ${error.message}`;
  }
}

if (page) {
  document.querySelectorAll("article form.answer").forEach(prepare);
  document.getElementById("order").addEventListener("submit", sign);
}
