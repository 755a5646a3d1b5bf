"use strict";
/* A form of Slack's as a dialog; only the one of the person at the page, and one at a time. */

const YOU = "U0YOU";
let form = null;

function drawForm(state) {
  const mine = state.forms.find((each) => each.user === YOU);
  if (form && (!mine || form.id !== mine.view.id)) { form.dialog.remove(); form = null; }
  if (mine && !form) form = opened(mine.view, state.users);
  if (mine) showErrors(mine.errors);
}

function opened(view, users) {
  const dialog = made("dialog", "form");
  const fields = document.createElement("form");
  const close = made("button", "", decoded(view.close.text));
  close.type = "button";
  close.onclick = () => dialog.close();
  dialog.onclose = () => send({ view: view.id });
  const submit = made("button", "primary", decoded(view.submit.text));
  fields.onsubmit = (event) => { event.preventDefault(); send({ view: view.id, values: chosen(fields) }); };
  fields.append(...view.blocks.map((block) => fieldNode(block, users)), made("div", "actions", close, submit));
  const title = made("h2", "", decoded(view.title.text));
  title.id = "form-title";
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.append(title, fields);
  document.body.append(dialog);
  dialog.showModal();
  return { id: view.id, dialog };
}

function fieldNode(block, users) {
  if (block.type !== "input") return blockNode(block, {}, "", users);
  const group = made("fieldset", "", made("legend", "", decoded(block.label.text)));
  group.dataset.block = block.block_id;
  for (const option of block.element.options) {
    const radio = document.createElement("input");
    radio.type = "radio";
    radio.name = block.block_id + "\n" + block.element.action_id;
    radio.value = option.value;
    const words = made("span", "", decoded(option.text.text));
    if (option.description) words.append(made("small", "", decoded(option.description.text)));
    group.append(made("label", "", radio, words));
  }
  const wrong = made("p", "wrong");
  wrong.setAttribute("role", "alert");
  group.append(wrong);
  return group;
}

function chosen(fields) {
  const values = {};
  for (const [name, value] of new FormData(fields)) {
    const [block, action] = name.split("\n");
    values[block] = { ...values[block], [action]: value };
  }
  return values;
}

function showErrors(errors) {
  for (const group of form.dialog.querySelectorAll("fieldset"))
    group.querySelector(".wrong").textContent = errors[group.dataset.block] || "";
}

async function send(sent) {
  try {
    const answer = await (await fetch("/form", { method: "POST", body: JSON.stringify(sent) })).json();
    if (!answer.ok) toast("Nobody takes it: " + answer.error);
  } catch { toast("The stand-in has stopped."); }
}
