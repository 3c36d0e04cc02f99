import { expect, test } from "vitest";
import { containerId } from "../../sdk/container.ts";

const id = "0123456789abcdef".repeat(4);
const files =
  (cgroup: string, mountinfo = "") =>
  (file: string) =>
    file === "/proc/self/cgroup" ? cgroup : mountinfo;

test.each([
  [`12:cpu:/docker/${id}\n`],
  [`1:name=systemd:/kubepods/burstable/pod1/cri-containerd-${id}.scope\n0::/\n`],
  [`1:cpu:/kubepods.slice/pod1.slice/crio-${id}.scope`],
  [`1:cpu:/ecs/task/${id}`],
])("is found in a control group of version 1: %s", (cgroup) => {
  expect(containerId(files(cgroup), "linux")).toBe(id);
});

test.each([
  [`5 4 8:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw`],
  [
    `5 4 0:2 /containers/storage/overlay-containers/${id}/userdata/hosts /etc/hosts rw - tmpfs t rw`,
  ],
])("is found among the mounts with version 2: %s", (mountinfo) => {
  expect(containerId(files("0::/\n", mountinfo), "linux")).toBe(id);
});

test.each([
  ["0::/user.slice/session-1.scope", ""],
  [`1:cpu:/docker/${id.slice(1)}`, ""],
  [`1:cpu:/docker/${id}0`, ""],
  ["", ""],
])("is not made up: %s", (cgroup, mountinfo) => {
  expect(containerId(files(cgroup, mountinfo), "linux")).toBeUndefined();
});

test("is not looked for elsewhere, and files that cannot be read are none", () => {
  expect(containerId(files(`1:cpu:/docker/${id}`), "darwin")).toBeUndefined();
  expect(() => containerId()).not.toThrow();
});
