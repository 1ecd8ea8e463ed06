// Tells, once it is seen, that the page of an invitation was opened: by a POST,
// since no GET changes anything. Without script it is not counted, and all else works.
(() => {
  "use strict";
  const at = document.currentScript.dataset.opened;
  const tell = () => {
    if (document.visibilityState !== "visible") return;
    document.removeEventListener("visibilitychange", tell);
    fetch(at, { method: "POST", body: new URLSearchParams(), keepalive: true }).catch(() => {});
  };
  document.addEventListener("visibilitychange", tell);
  tell();
})();
