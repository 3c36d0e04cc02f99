// Each library against a real server, whose address is given; knows nothing of OpenTelemetry.
module.exports = {
  async kafkajs({ Kafka, logLevel }, address, topic) {
    const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic }] });
    await admin.disconnect();
    const consumer = kafka.consumer({ groupId: topic });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const seen = [];
    const all = new Promise((resolve) => {
      const eachMessage = async ({ message }) => {
        seen.push(`${message.key}=${message.value}`);
        if (seen.length === 3) resolve();
      };
      void consumer.run({ eachMessage });
    });
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ key: "1", value: "secret" }] });
    const batch = ["2", "3"].map((key) => ({ key, value: "secret" }));
    await producer.sendBatch({ topicMessages: [{ topic, messages: batch }] });
    await all;
    await producer.disconnect();
    await consumer.disconnect();
    process.stdout.write(`${seen.toSorted((one, other) => one.localeCompare(other)).join(" ")}\n`);
  },
  async mysql2(mysql, address) {
    const [host, port] = address.split(":");
    const connection = mysql.createConnection({ host, port: Number(port), user: "root" });
    const query = (...args) =>
      new Promise((resolve) => connection.query(...args, (error, rows) => resolve(error ?? rows)));
    await query("SELECT ? AS answer", ["secret"]);
    await query("SELECT 'secret' AS literal, 12345 AS number");
    const error = await query("SELECT * FROM test.no_such_table");
    await query("CREATE TEMPORARY TABLE mysql.taken (id CHAR(9) PRIMARY KEY)");
    const insert = () => query("INSERT INTO mysql.taken VALUES (?)", ["secret"]);
    await insert();
    const taken = await insert();
    const [row] = await query({ sql: "SELECT 1 AS one" });
    await new Promise((resolve) => connection.end(resolve));
    process.stdout.write(`${error.code} ${taken.message} ${row.one}\n`);
  },
  async memcached(Memcached, address) {
    const client = new Memcached(address);
    const call = (method, ...args) =>
      new Promise((resolve) => client[method](...args, (error, data) => resolve(error ?? data)));
    await call("set", "greeting", "secret", 10);
    const got = await call("get", "greeting");
    client.end();
    process.stdout.write(`${got}\n`);
  },
  async amqplib(amqp, address) {
    const connection = await amqp.connect(`amqp://guest:guest@${address}`);
    const channel = await connection.createChannel();
    await channel.assertQueue("orders");
    const got = new Promise((resolve) => {
      void channel.consume("orders", (message) => {
        channel.ack(message);
        resolve(String(message.content));
      });
    });
    channel.sendToQueue("orders", Buffer.from("secret"));
    const text = await got;
    await channel.close();
    await connection.close();
    process.stdout.write(`${text}\n`);
  },
  async mongodb({ MongoClient }, address, database) {
    const client = await new MongoClient(`mongodb://${address}`).connect();
    const orders = client.db(database).collection("orders");
    await orders.insertOne({ _id: 1, card: "secret" });
    const found = await orders.find({ card: "secret" }).toArray();
    await orders.updateOne({ card: "secret" }, { $set: { card: "secret, too" } });
    const error = await orders.insertOne({ _id: 1, card: "secret" }).catch((caught) => caught);
    await client.db(database).createCollection("orders").catch(String);
    await client.close();
    process.stdout.write(`${found[0].card} ${error.code}\n`);
  },
  async mongoose(mongoose, address, database) {
    await mongoose.connect(`mongodb://${address}/${database}`);
    const schema = new mongoose.Schema({ _id: String, name: String }, { autoCreate: false });
    const Item = mongoose.model("Item", schema);
    await Item.create({ _id: "secret", name: "secret" });
    const found = await Item.findOne({ name: "secret" });
    const taken = await Item.create({ _id: "secret" }).catch((caught) => caught);
    const left = await Item.countDocuments({ name: "other" });
    // As at every start, unless it is told not to.
    const Order = mongoose.model("Order", new mongoose.Schema({}));
    await Order.init();
    await Order.createCollection();
    await mongoose.disconnect();
    process.stdout.write(`${found.name} ${left} ${taken.message}\n`);
  },
  async "@aws-sdk/client-s3"({ S3, GetObjectCommand }, address, Bucket) {
    const client = new S3({ ...amazon(address), forcePathStyle: true });
    await client.createBucket({ Bucket });
    await client.putObject({ Bucket, Key: "first", Body: "secret" });
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: "first" }));
    const text = await Body.transformToString();
    const error = await client.getObject({ Bucket, Key: "none" }).catch((caught) => caught);
    process.stdout.write(`${text} ${error.name}\n`);
  },
  async "@aws-sdk/client-sqs"({ SQS }, address, QueueName) {
    const client = new SQS(amazon(address));
    const { QueueUrl } = await client.createQueue({ QueueName });
    await client.sendMessage({ QueueUrl, MessageBody: "secret" });
    const { Messages } = await client.receiveMessage({ QueueUrl });
    process.stdout.write(`${Messages[0].Body}\n`);
  },
  async "@aws-sdk/client-dynamodb"({ DynamoDB }, address, TableName) {
    const client = new DynamoDB(amazon(address));
    await client.createTable({
      TableName,
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      BillingMode: "PAY_PER_REQUEST",
    });
    await client.putItem({ TableName, Item: { id: { S: "secret" } } });
    const { Item } = await client.getItem({ TableName, Key: { id: { S: "secret" } } });
    process.stdout.write(`${Item.id.S}\n`);
  },
};

function amazon(address) {
  const credentials = { accessKeyId: "user", secretAccessKey: "secret" };
  return { endpoint: `http://${address}`, region: "eu-central-1", credentials };
}
