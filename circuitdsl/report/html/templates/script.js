"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Charts have no ground of their own, and axes in the colours of the page.
  const themed = (spec) => {
    const ink = colour("--ink"), faint = colour("--faint"), line = colour("--line");
    const axis = { labelColor: ink, titleColor: faint, gridColor: line, tickColor: line, domainColor: line };
    const legend = { labelColor: ink, titleColor: faint };
    const title = { color: ink, subtitleColor: faint };
    const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
    return { ...spec, background: "transparent", config: { ...spec.config, axis, legend, title, font } };
  };

  const draw = async () => {
    for (const element of document.querySelectorAll("script.spec")) {
      const target = document.getElementById(element.dataset.chart);
      const options = { actions: false, renderer: "svg" };
      await window.vegaEmbed(target, themed(JSON.parse(element.textContent)), options);
    }
    document.documentElement.dataset.drawn = "yes";
  };

  // On paper everything is open.
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details.behind")) details.open = true;
  });

  if (document.querySelector("script.spec")) {
    draw();
    dark.addEventListener("change", draw);
  } else {
    document.documentElement.dataset.drawn = "yes";
  }
})();
