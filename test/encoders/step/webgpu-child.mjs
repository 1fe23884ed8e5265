// Runs steps on WebGPU in a process of its own: the Vulkan loader is found by what the environment said at its start.
import { GradientSession, UpdateSession } from '../../../dist/encoders/step/sessions.js';

const place = { device: 'webgpu', threads: 1 };

async function answer({ architecture, shape, feeds, rule }) {
  const session =
    rule === undefined
      ? await GradientSession.open(architecture, shape, place)
      : await UpdateSession.open(feeds.parameters.length, rule, place);
  const found = await session.run(feeds);
  await session.release();
  return found;
}

process.on('message', async (job) => {
  const reply = await answer(job).catch(({ code, hint, message }) => ({ failure: { code, hint, message } }));
  process.send(reply);
});
