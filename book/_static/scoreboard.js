// Filter of the scoreboard: by paper, verdict and text. The state is in the address (after #),
// so a filtered view can be linked. Without this file the page shows every claim.
document.addEventListener("DOMContentLoaded", () => {
  const board = document.getElementById("scoreboard");
  if (!board) return;
  const form = board.querySelector("form");
  const told = form.querySelector("output");
  const fields = ["paper", "verdict", "q"];
  const bodies = [...board.querySelectorAll("tbody")];
  form.hidden = false;

  const texts = new Map(); // row -> its words, with those of its section's heading
  for (const body of bodies)
    for (const row of body.querySelectorAll("tr[data-verdict]"))
      texts.set(row, `${body.rows[0].textContent} ${row.textContent} ${row.id}`.toLowerCase());

  const total = texts.size;

  function show() {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const body of bodies) {
      const paper = !form.paper.value || body.dataset.paper === form.paper.value;
      let any = false;
      for (const row of body.querySelectorAll("tr[data-verdict]")) {
        const fits =
          paper &&
          (!form.verdict.value || row.dataset.verdict === form.verdict.value) &&
          words.every((word) => texts.get(row).includes(word));
        row.hidden = !fits;
        any = any || fits;
        shown += fits;
      }
      body.hidden = !any;
    }
    told.value = shown === total ? `${total} claims` : `${shown} of ${total} claims`;
  }

  function write() {
    const state = new URLSearchParams();
    for (const name of fields) if (form[name].value) state.set(name, form[name].value);
    history.replaceState(null, "", "#" + state);
  }

  // A hash without "=" is an anchor of a claim: show everything and let the browser go there.
  function read() {
    const hash = location.hash.slice(1);
    const state = new URLSearchParams(hash.includes("=") ? hash : "");
    for (const name of fields) {
      form[name].value = state.get(name) ?? "";
      if (form[name].selectedIndex === -1) form[name].value = "";
    }
    show();
  }

  form.addEventListener("input", () => { show(); write(); });
  form.addEventListener("reset", () => setTimeout(() => { show(); write(); }));
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", read);
  read();
});
