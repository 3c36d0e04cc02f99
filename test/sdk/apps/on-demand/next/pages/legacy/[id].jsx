export function getServerSideProps({ params }) {
  return { props: { id: params.id } };
}

export default function Legacy({ id }) {
  return <p>{id}</p>;
}
