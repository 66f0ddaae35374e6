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

Redoc.init(
  element.dataset.schema,
  { hideDownloadButtons: true, theme: matchMedia("(prefers-color-scheme: dark)").matches ? darkTheme : {} },
  element,
);
