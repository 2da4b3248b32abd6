// Passkeys (WebAuthn): a form with data-passkey asks the browser to make one or to show one, and sends what it says.
"use strict";

const form = document.querySelector("form[data-passkey]");
const button = form.querySelector("button");
const told = form.querySelector('[role="alert"][hidden]');

function tell(text) {
  told.textContent = text;
  told.hidden = false;
}

async function asked() {
  const options = JSON.parse(document.getElementById("passkey-options").textContent);
  if (form.dataset.passkey === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.creation_options.publicKey);
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.request_options.publicKey);
  return navigator.credentials.get({ publicKey });
}

async function send(event) {
  event.preventDefault();
  button.disabled = true;
  try {
    const credential = await asked();
    form.querySelector('input[name="credential"]').value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch (error) {
    tell(error.name === "InvalidStateError" ? "This device holds a passkey for your login already." : "No passkey was shown. Try again.");
    button.disabled = false;
  }
}

if (window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON) {
  button.disabled = false;
  form.addEventListener("submit", send);
} else {
  tell("This browser cannot show passkeys to this page: it is too old, or the page was not opened over https.");
}
