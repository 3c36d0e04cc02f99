export async function GET(request, { params }) {
  const { id } = await params;
  if (id === "bad") throw new TypeError("no such order");
  const response = await fetch(`${process.env.UPSTREAM}/stock/${id}?token=secret`);
  return Response.json(await response.json());
}
