// The link's secrets stand behind the #, which browsers send to nobody.
const link = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
const form = document.getElementById("form");
const said = document.getElementById("said");
const [email, request, code] = ["email", "request", "code"].map((name) => link.get(name));

if (email && request && code) {
  document.getElementById("who").textContent = email;
  said.textContent = "All devices will be logged out.";
  form.hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const password = document.getElementById("password").value;
  try {
    const answer = await fetch("/v1/password-resets", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email, request, code, password }),
    });
    if (answer.ok) {
      form.hidden = true;
      said.textContent = "Done. Log in with the new password.";
      return;
    }
    said.textContent = (await answer.json()).detail;
  } catch {
    said.textContent = "The server could not be reached. Try again.";
  }
});
