// Playlists: import, review, earlier runs, automatic syncs.

import { make, makeSection } from "../dom.js";
import { makeForm } from "./playlist-form.js";
import { makeReport } from "./playlist-report.js";
import { followRun, makeUnderway } from "./playlist-run.js";
import { makeRuns, makeStanding } from "./playlist-past.js";

export const title = "Playlists";

export function render(root, context) {
  const outcome = make("div", { class: "outcome", tabindex: "-1" });
  const runs = makeRuns(context, (id) => open(id, null));
  let underway = null;

  /** Sends what the form holds: a preview, or the import. */
  const begin = async (wish, isDry) => {
    const { run } = await wish.send(isDry);
    open(run, wish);
    runs.look();
    return { message: isDry ? "Matching. Nothing is written." : "Importing." };
  };
  /** Shows the progress and the result of a run. `wish` is its request, if this page sent it. */
  const open = (id, wish) => {
    if (underway) underway.close();
    const began = document.activeElement;
    const sign = makeUnderway(context, id);
    outcome.replaceChildren(sign.element);
    underway = followRun(context, id, sign.show, (run) => {
      runs.look();
      const report = makeReport(context, run, wish && {
        again: (button) => context.act(button, () => begin(wish, true)),
        write: (button, mayShrink) => context.act(button, () => begin(wish.meaning(mayShrink), false)),
      });
      outcome.replaceChildren(report.element);
      // The focus moves only if it has not moved elsewhere meanwhile.
      if ([document.body, began].includes(document.activeElement)) report.heading.focus();
      context.say(report.said);
    });
  };

  const form = makeForm(context, (button, wish) => context.act(button, () => begin(wish, true)));
  root.append(
    make("p", { class: "lead" }, "Import a playlist of another service or player. Each row is matched with your library; "
      + "the preview shows the result before anything is written."),
    makeSection("Import playlist", null, form.element), outcome,
    makeSection("Earlier runs", "The last 50, including those of the command line and of apps.", runs.element),
    makeSection("Automatic sync", null, makeStanding(context).element),
  );
  return () => underway && underway.close();
}
