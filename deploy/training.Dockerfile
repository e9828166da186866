# A worker of a training on several machines. From the project's folder:
#   docker build --file deploy/training.Dockerfile --tag captcha-training .
# For NVIDIA GPUs, which need the driver and the NVIDIA Container Toolkit on the machine:
#   docker build --file deploy/training.Dockerfile --build-arg REQUIREMENTS=requirements-gpu.txt --tag captcha-training .
ARG BASE=python:3.12-slim
FROM $BASE

ARG REQUIREMENTS=requirements.txt
WORKDIR /srv/captcha
COPY requirements.txt requirements-serve.txt requirements-gpu.txt ./
RUN pip install --no-cache-dir --requirement $REQUIREMENTS
COPY train_model.py .
COPY cnnlib/ cnnlib/
COPY conf/ conf/
COPY model/general/ model/general/

RUN useradd --system captcha
USER captcha
ENV PYTHONUNBUFFERED=1
EXPOSE 2222
ENTRYPOINT ["python", "-m", "cnnlib.training.cluster"]
