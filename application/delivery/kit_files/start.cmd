@echo off
rem Starts the program, or stops it: start.cmd and start.cmd stop. It needs Docker.
rem On macOS and Linux: start.sh
setlocal
chcp 65001 >nul
cd /d "%~dp0"

if not exist compose.yaml goto packed
where docker >nul 2>nul
if errorlevel 1 goto missing
docker compose version >nul 2>nul
if errorlevel 1 goto old
docker info >nul 2>nul
if errorlevel 1 goto asleep
if not exist .env copy .env.example .env >nul
if /i "%~1"=="stop" goto stop

echo @STARTING@
docker compose up --build --detach --remove-orphans
if errorlevel 1 goto failed
set "port=@PORT@"
for /f "tokens=2 delims==" %%p in ('findstr /b "START_PORT=" .env') do set "port=%%p"
echo @RUNS@
echo http://localhost:%port%
if "%~1"=="" start "" "http://localhost:%port%"
goto end

:stop
docker compose down
if errorlevel 1 goto end
echo @STOPPED@
goto end

:packed
echo @PACKED@
goto end

:missing
echo @MISSING@
echo https://docs.docker.com/get-docker/
goto end

:old
echo @OLD@
goto end

:asleep
echo @ASLEEP@
goto end

:failed
docker compose logs --no-color --tail 20@LOGGED@
echo @FAILED@

:end
echo.
pause
