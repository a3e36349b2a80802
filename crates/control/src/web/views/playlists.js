// The view "Playlists": bringing a playlist of elsewhere onto a server, and what became of earlier ones.

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

  /** Carries out what the form says: a dry run, or for good. */
  const begin = async (wish, isDry) => {
    const { run } = await wish.send(isDry);
    open(run, wish);
    runs.look();
    return { message: isDry ? "It is looked up. Nothing is written." : "It is being written." };
  };
  /** Shows how far a run is, and what comes of it. `wish` is what it carries out, where this page knows that. */
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
      // Whoever waited for it is led there; whoever went on elsewhere is left in peace.
      if ([document.body, began].includes(document.activeElement)) report.heading.focus();
      context.say(report.said);
    });
  };

  const form = makeForm(context, (button, wish) => context.act(button, () => begin(wish, true)));
  root.append(
    make("p", { class: "lead" }, "A playlist of another service or player, brought onto your server. Each row is looked "
      + "for in Greenroom's own list of the library; nothing is written before you have seen what would be."),
    makeSection("Bring a playlist over", null, form.element), outcome,
    makeSection("Earlier runs", "The last fifty, also those of the command line and of apps.", runs.element),
    makeSection("Kept in step by themselves", null, makeStanding(context).element),
  );
  return () => underway && underway.close();
}
