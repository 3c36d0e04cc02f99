import { notFound } from "next/navigation";

export default async function Order({ params }) {
  const { id } = await params;
  if (id === "gone") notFound();
  if (id === "bad") throw new RangeError("no such order");
  return <p>{id}</p>;
}
