export default function legacy(request, response) {
  response.json({ id: request.query.id });
}
