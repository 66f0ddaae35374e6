const dark = matchMedia("(prefers-color-scheme: dark)");
const applyScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
applyScheme();
dark.addEventListener("change", applyScheme);

// Errors are collapsed: each operation has about fifteen, which would take 10,000 pixels.
const collapsedErrors = {
  wrapComponents: {
    response: (Response, { React }) => (props) => {
      const [isOpen, setIsOpen] = React.useState(props.code < "400");
      if (isOpen) return React.createElement(Response, props);
      const open = { type: "button", className: "show-response", onClick: () => setIsOpen(true) };
      return React.createElement(
        "tr",
        { className: "response" },
        React.createElement("td", { className: "response-col_status" }, props.code),
        React.createElement(
          "td",
          { className: "response-col_description" },
          React.createElement("button", open, props.response.get("description")),
        ),
      );
    },
  },
};

SwaggerUIBundle({
  url: document.getElementById("docs").dataset.schema,
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: true,
  plugins: [collapsedErrors],
  validatorUrl: null,
});
