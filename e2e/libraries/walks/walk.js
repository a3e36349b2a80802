// A walk with a client library: steps one after the other, and what became of each as the last line of output.

const told = {};

export const { GREENROOM_WALK_URL: url, GREENROOM_WALK_TOKEN: token, GREENROOM_WALK_PART: part } = process.env;

function short(value) {
  if (Array.isArray(value) || (typeof value === 'string' && value.length > 40)) return value.length;
  return typeof value === 'object' ? 'ok' : (value ?? 'ok');
}

// One step. What it gives is told by its length, if it has one; an error by its name and status.
export async function step(name, act) {
  try {
    const value = await act();
    told[name] = short(value);
    return value;
  } catch (error) {
    const status = error?.statusCode ?? error?.status ?? error?.response?.status ?? '';
    told[name] = `${error?.name} ${status}`.trim();
    return undefined;
  }
}

// Ends the walk; a library may hold connections open.
export function end() {
  process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0));
}
