const element = document.getElementById("docs");
const text = { primary: "#e6ebe8", secondary: "#9aa5a0" };
const darkTheme = {
  colors: {
    primary: { main: "#5fd3a6" },
    text,
    border: { dark: "#4a5551", light: "#303835" },
    success: { main: "#5fd3a6" },
    error: { main: "#ff8a80" },
    responses: {
      success: { color: "#5fd3a6", backgroundColor: "#17352b" },
      error: { color: "#ff8a80", backgroundColor: "#3a2020" },
      tabTextColor: text.primary,
    },
  },
  schema: { nestedBackground: "#1c2220", linesColor: "#4a5551", typeNameColor: text.secondary, typeTitleColor: text.secondary },
  sidebar: { backgroundColor: "#1c2220", textColor: text.primary },
  rightPanel: { backgroundColor: "#0e1110" },
  typography: { code: { color: "#ffb4a9", backgroundColor: "#1c2220" }, links: { color: "#5fd3a6" } },
};

const theme = matchMedia("(prefers-color-scheme: dark)").matches ? darkTheme : {};
Redoc.init(
  element.dataset.schema,
  { hideDownloadButtons: true, simpleOneOfTypeLabel: true, theme: { ...theme, spacing: { sectionVertical: 16 } } },
  element,
  openFromUrl,
);

// All operations together are 90,000 pixels tall. So each is closed until it is chosen by its heading, in the menu or by
// the URL, or until the browser searches the page.
function openFromUrl() {
  document.getElementById(location.hash.slice(1))?.toggleAttribute("data-open", true);
}

function openFromMenu(event) {
  const item = event.target.closest("[data-item-id]");
  if (item) document.getElementById(item.dataset.itemId)?.toggleAttribute("data-open", true);
}

addEventListener("hashchange", openFromUrl);
// Before Redoc scrolls to it.
element.addEventListener("click", openFromMenu, { capture: true });
element.addEventListener("keydown", openFromMenu, { capture: true });
element.addEventListener("click", (event) => {
  const heading = event.target.closest("[data-section-id*='/operation/'] h2");
  heading?.closest("[data-section-id*='/operation/']").toggleAttribute("data-open");
});
addEventListener("keydown", (event) => {
  if (event.key !== "f" || !(event.ctrlKey || event.metaKey)) return;
  for (const section of element.querySelectorAll("[data-section-id]")) section.toggleAttribute("data-open", true);
});
