// Submits the self-posting page; the button stays for people without script.
"use strict";
const form = document.querySelector("form[data-autosubmit]");
if (form) {
  form.submit();
  setTimeout(() => { document.getElementById("slow").hidden = false; }, 10000);
}
