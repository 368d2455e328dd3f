// A romcap sensor on an Arduino Nano 33 BLE Sense: the open profile of docs/diy-sensor.md.
//
// Needs the libraries ArduinoBLE and Arduino_LSM9DS1 (rev 1 of the board; for rev 2 replace the three
// read functions by those of Arduino_BMI270_BMM150). NOT COMPILED OR RUN by the romcap developers: check
// axes, signs and rate with `rom check` before you trust it.

#include <ArduinoBLE.h>
#include <Arduino_LSM9DS1.h>

const char *SERVICE = "7b1e0001-5f0c-4c8e-9d53-3c6f2a1d8e40";
const char *DATA = "7b1e0002-5f0c-4c8e-9d53-3c6f2a1d8e40";
const char *CONFIGURATION = "7b1e0003-5f0c-4c8e-9d53-3c6f2a1d8e40";

const uint8_t VERSION = 1;
const uint8_t AXES = 6;
const uint16_t RATE_TENTHS = 1190;      // the library sets the LSM9DS1 to 119 Hz ...
const uint16_t GYRO_RANGE_DPS = 2000;   // ... and to these ranges
const uint16_t ACC_RANGE_G = 4;
const float DEGREES = 0.017453292519943295f;
const float G = 9.80665f;
const uint8_t BATCH = 6;                // 6 samples at 119 Hz are 50 ms

struct __attribute__((packed)) Configuration {
  uint8_t version, axes, running, reserved;
  uint16_t rateTenths, gyroRangeDps, accRangeG;
  float gyroScale, accScale, magScale;
};

struct __attribute__((packed)) Packet {
  uint8_t kind, count;
  uint16_t counter;
  uint32_t first, last;
  int16_t sample[BATCH][AXES];
};

Configuration configuration = {
  VERSION, AXES, 0, 0, RATE_TENTHS, GYRO_RANGE_DPS, ACC_RANGE_G,
  GYRO_RANGE_DPS * DEGREES / 32768.0f, ACC_RANGE_G * G / 32768.0f, 0.0f
};
Packet packet;
uint8_t filled = 0;
uint16_t counter = 0;
uint32_t nextBattery = 0;

BLEService service(SERVICE);
BLECharacteristic dataCharacteristic(DATA, BLENotify, sizeof(Packet), false);
BLECharacteristic configurationCharacteristic(CONFIGURATION, BLERead | BLEWrite | BLENotify,
                                              sizeof(Configuration), true);
BLEService batteryService("180f");
BLEUnsignedCharCharacteristic batteryLevel("2a19", BLERead | BLENotify);

int16_t count(float value, float scale) {
  float counts = value / scale;
  if (counts > 32767.0f) return 32767;
  if (counts < -32768.0f) return -32768;
  return (int16_t)lroundf(counts);
}

void tellConfiguration() {
  configurationCharacteristic.writeValue((const uint8_t *)&configuration, sizeof(configuration));
}

void onWish(BLEDevice, BLECharacteristic) {
  Configuration wish;
  memcpy(&wish, configurationCharacteristic.value(), sizeof(wish));
  bool possible = wish.version == VERSION && wish.axes == AXES && wish.rateTenths == RATE_TENTHS &&
                  wish.gyroRangeDps == GYRO_RANGE_DPS && wish.accRangeG == ACC_RANGE_G;
  configuration.running = possible && wish.running ? 1 : 0;
  filled = 0;
  counter = 0;
  tellConfiguration();
}

void onGone(BLEDevice) {
  configuration.running = 0;
  tellConfiguration();
}

uint8_t batteryPercent() {
  // Replace by your board's divider; 100 means "on a cable".
  return 100;
}

void setup() {
  if (!IMU.begin() || !BLE.begin()) {
    while (true) { }
  }
  BLE.setLocalName("ROM-IMU-1");
  BLE.setConnectionInterval(6, 12);     // 7.5 to 15 ms
  BLE.setAdvertisedService(service);
  service.addCharacteristic(dataCharacteristic);
  service.addCharacteristic(configurationCharacteristic);
  batteryService.addCharacteristic(batteryLevel);
  BLE.addService(service);
  BLE.addService(batteryService);
  configurationCharacteristic.setEventHandler(BLEWritten, onWish);
  BLE.setEventHandler(BLEDisconnected, onGone);
  batteryLevel.writeValue(batteryPercent());
  tellConfiguration();
  BLE.advertise();
}

void takeSample() {
  uint32_t now = micros();
  float gx, gy, gz, ax, ay, az;
  IMU.readGyroscope(gx, gy, gz);        // deg/s
  IMU.readAcceleration(ax, ay, az);     // g
  if (filled == 0) {
    packet.first = now;
    packet.counter = counter;
  }
  packet.last = now;
  int16_t *row = packet.sample[filled];
  row[0] = count(gx * DEGREES, configuration.gyroScale);
  row[1] = count(gy * DEGREES, configuration.gyroScale);
  row[2] = count(gz * DEGREES, configuration.gyroScale);
  row[3] = count(ax * G, configuration.accScale);
  row[4] = count(ay * G, configuration.accScale);
  row[5] = count(az * G, configuration.accScale);
  filled++;
  counter++;
}

void loop() {
  BLE.poll();
  if (configuration.running && IMU.gyroscopeAvailable() && IMU.accelerationAvailable()) {
    takeSample();
    if (filled == BATCH) {
      packet.kind = VERSION << 4 | AXES;
      packet.count = filled;
      dataCharacteristic.writeValue((const uint8_t *)&packet, sizeof(packet));
      filled = 0;
    }
  }
  if (millis() >= nextBattery) {
    batteryLevel.writeValue(batteryPercent());
    nextBattery = millis() + 30000;
  }
}
