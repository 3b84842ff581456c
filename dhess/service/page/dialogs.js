// Questions: the browser's own modal dialogs keep the focus inside and give it back afterwards.

import { fresh, h } from "./dom.js";

function open(title, ...content) {
  const id = fresh("title");
  const dialog = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), content);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/** Ask whether to do something; resolves to true or false. */
export function confirm(title, text, yes, { risky = false } = {}) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = open(title,
      h("p", {}, text),
      h("div", { class: "actions" },
        h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Go back"),
        h("button", { type: "button", class: risky ? "danger" : "primary", onclick: () => { answer = true; dialog.close(); } }, yes)));
    dialog.addEventListener("close", () => resolve(answer));
  });
}

/** Ask for a token; resolves to what was typed. There is nothing to see without one. */
export function askToken(sentence) {
  return new Promise((resolve) => {
    const [field, hint] = [fresh("token"), fresh("hint")];
    const input = h("input", {
      id: field, type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": hint,
    });
    const send = (event) => {
      event.preventDefault();
      if (!input.value.trim()) return;
      resolve(input.value.trim());
      dialog.close();
    };
    const dialog = open("This gateway asks for a token",
      sentence ? h("p", { class: "problem", role: "alert" }, sentence) : null,
      h("form", { onsubmit: send },
        h("label", { for: field }, "Token"), input,
        h("p", { class: "hint", id: hint }, "Made with “dhess token add”. It is kept until this tab is closed."),
        h("div", { class: "actions" }, h("button", { class: "primary" }, "Go on"))));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    input.focus();
  });
}
